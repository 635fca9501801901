"""Several key pairs: each is a sub-account with quotas of its own; the bill is one."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.api.action import IdentityLimits
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.__main__ import parse
from airflow_provider_faceid.simulator.account import Assumptions
from airflow_provider_faceid.simulator.faults import read_rule
from airflow_provider_faceid.simulator.people import FACE, ID_CARD

KEYS = {"first": "one", "second": "two"}
WEI = {"IdCard": "11204416541220243X", "Name": "Wei Xiaobao"}


@pytest.fixture
def asking(caller, clock):
    """Start a server with two key pairs; give a function that asks as one of them."""
    servers = []

    def start(assumptions=None):
        server = SimulatorServer(
            people=20,
            clock=clock,
            keys=KEYS,
            quotas={ID_CARD: 2},
            identity_limits={ID_CARD: IdentityLimits(id_card_per_day=0, name_per_day=8)},
            assumptions=assumptions or Assumptions(),
        ).start()
        servers.append(server)
        own = type(caller)(server, clock)

        def ask(secret_id, **parts) -> str:
            response = own.post(
                ID_CARD, WEI, secret_id=secret_id, secret_key=KEYS.get(secret_id, ""), **parts
            )
            return response["Error"]["Code"] if "Error" in response else response["Result"]

        return server, ask

    yield start
    for server in servers:
        server.stop()


def test_each_has_quotas_of_its_own_and_all_share_the_bill(asking):
    server, ask = asking()
    assert [ask("first") for _ in range(3)] == ["0", "0", "RequestLimitExceeded"]
    assert [ask("second") for _ in range(3)] == ["0", "0", "RequestLimitExceeded"]
    assert server.account.ledger.bill == {ID_CARD: 4}
    assert server.account.windows.pace()[ID_CARD] == {
        "busiest_second": 6,
        "throttled": 2,
        "seconds": 1,
        "calls": 6,
    }


def test_one_s_key_is_no_good_for_the_other(asking, caller, clock):
    server, ask = asking()
    own = type(caller)(server, clock)
    assert own.code(ID_CARD, WEI, secret_id="first", secret_key="two") == (
        "AuthFailure.SignatureFailure"
    )
    assert ask("simulator-id") == "AuthFailure.SecretIdNotFound"


def test_keys_outlast_a_reset_and_a_change_of_state(asking):
    server, ask = asking()
    server.account.reset()
    assert ask("first") == "0"

    server.faults.add(read_rule({"effect": "account", "state": "arrears"}))
    assert ask("second") == "UnauthorizedOperation.Arrears"


def test_all_together_may_have_a_quota_of_the_main_account(asking):
    _, ask = asking(Assumptions(account_quota=3))
    answers = [ask("first"), ask("first"), ask("second"), ask("second")]
    assert answers == ["0", "0", "0", "RequestLimitExceeded.UinLimitExceeded"]


def test_the_identity_limits_are_the_account_s(asking, clock):
    server, ask = asking()
    server.account.windows.quotas.update({ID_CARD: 0, FACE: 0})
    for _ in range(4):
        assert (ask("first"), ask("second")) == ("0", "0")
    assert ask("first") == "-7"  # 8 a day for one name


def test_key_pairs_come_from_a_file_and_not_from_the_command_line(tmp_path):
    file = tmp_path / "keys.json"
    file.write_text('{"first": "one", "second": "two"}')
    assert parse(["--keys", str(file)]).keys == {"first": "one", "second": "two"}
    assert parse([]).keys is None


@pytest.mark.parametrize("text", ["{}", "[]", '{"a": ""}', '{"": "b"}', '{"a": 1}', '["a"]'])
def test_a_wrong_file_of_key_pairs_is_refused(tmp_path, capsys, text):
    file = tmp_path / "keys.json"
    file.write_text(text)
    with pytest.raises(SystemExit, match="2"):
        parse(["--keys", str(file)])
    assert f"{file}: key pairs are an object" in capsys.readouterr().err
