"""The command line: ``python -m airflow_provider_faceid.simulator``."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ..api.action import IdentityLimits
from ..api.actions import ACTIONS
from . import INSTALL
from .account import LIKELIEST, Assumptions, read_assumptions
from .faults import FaultRule, read_rules
from .people import DEFAULT_PEOPLE, DEFAULT_SEED, People
from .validation import FieldError

DEFAULT_LATENCY_MS = (50, 150)

T = TypeVar("T")


def latency(text: str) -> tuple[int, int]:
    """Read ``50-150`` or ``0`` as milliseconds."""
    low, dash, high = text.partition("-")
    pair = int(low), int(high) if dash else int(low)
    if not 0 <= pair[0] <= pair[1]:
        raise ValueError(text)
    return pair


def quotas(text: str) -> dict[str, int]:
    """Read ``IdCardVerification=100,ImageRecognitionV2=0``; 0 means unlimited."""
    read = {}
    for part in filter(None, text.split(",")):
        action, _, quota = part.partition("=")
        if action not in ACTIONS or not quota.isdecimal():
            raise ValueError(text)
        read[action] = int(quota)
    return read


def keys(path: str) -> dict[str, str]:
    """Read SecretKey by SecretId from a JSON file: other users of the machine can read a command line."""
    return _read(path, _read_keys)


def faults(path: str) -> list[FaultRule]:
    """Read fault rules from a JSON file."""
    return _read(path, read_rules)


def assumptions(path: str) -> Assumptions:
    """Read assumptions about the service from a JSON file."""
    return _read(path, read_assumptions)


def _read_keys(document: object) -> dict[str, str]:
    pairs = document if isinstance(document, dict) else {}
    if not pairs or not all(
        part and isinstance(part, str) for pair in pairs.items() for part in pair
    ):
        raise FieldError('key pairs are an object {"SECRET_ID": "SECRET_KEY"}')
    return pairs


def _read(path: str, reader: Callable[[object], T]) -> T:
    try:
        return reader(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {os.strerror(error.errno or 0)}") from None
    except FieldError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from None
    except ValueError:
        raise argparse.ArgumentTypeError(f"{path}: this is no JSON") from None


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_faceid.simulator",
        description="A local Face ID service on 127.0.0.1. Its SecretId is simulator-id, its "
        "SecretKey simulator-key. Its people are fictional: see /_sim/people.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port (default)")
    parser.add_argument(
        "--people", type=int, default=DEFAULT_PEOPLE, help="how many (default %(default)s)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=DEFAULT_SEED,
        help="decides all about them (default %(default)s)",
    )
    parser.add_argument(
        "--latency-ms",
        type=latency,
        default=DEFAULT_LATENCY_MS,
        metavar="LOW-HIGH",
        help="time a call takes (default 50-150); 0 for none",
    )
    parser.add_argument(
        "--quota",
        type=quotas,
        default={},
        metavar="ACTION=N,...",
        help="calls per second instead of the documented ones; 0 means unlimited",
    )
    parser.add_argument(
        "--no-identity-limits",
        action="store_true",
        help="do not limit calls per identity, as a benchmark over few people needs",
    )
    parser.add_argument(
        "--faults",
        type=faults,
        default=(),
        metavar="FILE",
        help="fault rules as JSON, as they could be posted to /_sim/faults",
    )
    parser.add_argument(
        "--log-requests",
        action="store_true",
        help="print a line per request on stderr, without names, photos and whole numbers",
    )
    parser.add_argument(
        "--keys",
        type=keys,
        metavar="FILE",
        help="SecretKey by SecretId as JSON, instead of simulator-id; each has quotas of its own",
    )
    parser.add_argument(
        "--assumptions",
        "--unknowns",  # its former name
        type=assumptions,
        default=LIKELIEST,
        metavar="FILE",
        help="assumptions about the service, as JSON; see docs/simulator.md",
    )
    return parser.parse_args(arguments)


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    from .account import log_to_stderr  # noqa: PLC0415 - Pillow may be missing
    from .account.account import Account  # noqa: PLC0415
    from .server import build_app, serve  # noqa: PLC0415

    limits: dict[str, IdentityLimits] | None = {} if options.no_identity_limits else None
    people = People(options.people, options.seed)
    account = Account(
        people,
        options.quota,
        limits,
        faults=options.faults,
        keys=options.keys,
        assumptions=options.assumptions,
    )
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    if options.log_requests:
        log_to_stderr()
    app = build_app(account, options.latency_ms, log_requests=options.log_requests)
    async with serve(app, options.port) as url:
        print(f"listening on {url}", flush=True)  # noqa: T201 - scripts wait for this line
        await stopping.wait()


def main() -> int:
    """Run the simulator; return the exit code."""
    options = parse()
    try:
        asyncio.run(run(options))
    except ModuleNotFoundError as error:
        if error.name != "PIL":
            raise
        sys.stderr.write(f"{INSTALL}\n")
        return 2
    except OSError as error:
        sys.stderr.write(
            f"Cannot listen on 127.0.0.1:{options.port}: {os.strerror(error.errno or 0)}\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
