"""What encrypted fields add to a call: CPU per request, and what the wrapped key costs alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

from table import show

ROUNDS = 5
REQUESTS, WRAPS = 2_000, 50
PERSON = {"IdCard": "11204416541220243X", "Name": "韦小宝"}


def cpu_per_call(call: Callable[[], object], calls: int) -> float:
    """Return the milliseconds of CPU a call takes: the median of some rounds' means."""
    means = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(calls):
            call()
        means.append((time.process_time() - began) / calls * 1000)
    return median(means)


def rows() -> Iterator[tuple[str, str, str]]:
    """Measure both algorithms as they are used, and the wrapping of one key with each."""
    from random import SystemRandom

    from airflow_provider_faceid.api.encryption import Encrypter
    from airflow_provider_faceid.api.encryption.ciphers import KNOWN, SUITES, Algorithm

    targets = {Algorithm.AES_256_CBC: "0.15", Algorithm.SM4_GCM: "1"}
    for algorithm, suite in SUITES.items():
        encrypter = Encrypter(algorithm)
        spent = cpu_per_call(lambda: encrypter.encrypt(PERSON), REQUESTS)  # noqa: B023 - used here
        served = "a request" if suite.max_uses == 1 else f"{suite.max_uses} requests"
        yield f"{algorithm}, a key for {served}", f"{spent:.3f}", targets[algorithm]
    for algorithm, suite in SUITES.items():
        wrap, key, chance = suite.wrapper(KNOWN[algorithm]), bytes(suite.key_bytes), SystemRandom()
        spent = cpu_per_call(lambda: wrap(key, chance), WRAPS)  # noqa: B023 - used here
        yield f"wrapping a key for {algorithm}", f"{spent:.3f}", ""


if __name__ == "__main__":
    show(("number and name encrypted", "CPU ms", "target ms"), rows())
    sys.exit(0)
