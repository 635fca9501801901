import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_faceid.api.actions import code_row
from airflow_provider_faceid.api.codes import NO_ANSWER, UNKNOWN_CODE
from airflow_provider_faceid.api.messages import Pieces, Reply, build_body, read_reply, strike_out
from airflow_provider_faceid.exceptions import UncertainError

ACTION = "IdCardVerification"
REQUEST_ID = "94b54cdf-d975-4718-b091-32f8d79d6397"
NAME, NUMBER = "韦小宝", "11204416541220243X"


def answer(**response):
    return json.dumps({"Response": {**response, "RequestId": REQUEST_ID}}).encode()


def body_of(params):
    return bytes(build_body(params))


class TestBuildBody:
    @pytest.mark.parametrize(
        "params",
        [
            {"IdCard": NUMBER, "Name": NAME},
            {"Name": 'a "quoted" \\ name\n\t\x00'},
            {"Name": "\U00020bb7 \u00b7"},
            {"Name": ""},
            {"Encryption": {"EncryptList": ["IdCard", "Name"], "Iv": "AAEC", "TagList": []}},
        ],
        ids=["sample", "escapes", "beyond 16 bits", "empty text", "object"],
    )
    def test_text_is_written_as_the_official_sdk_writes_it(self, params):
        assert body_of(params) == json.dumps(params).encode()

    def test_fields_keep_their_order(self):
        assert list(json.loads(body_of({"Z": "1", "A": b"2", "M": "3"}))) == ["Z", "A", "M"]

    @pytest.mark.parametrize("value", [b"/9j/+A==", Pieces([b"/9j/", b"+A=="])])
    def test_base64_bytes_go_in_as_they_are(self, value):
        assert body_of({"Name": "a", "ImageBase64": value, "Extra": "b"}) == (
            b'{"Name": "a", "ImageBase64": "/9j/+A==", "Extra": "b"}'
        )

    @pytest.mark.parametrize(
        "params",
        [
            {"A": None, "Name": "a", "B": "b"},
            {"Name": "a", "A": None, "B": "b"},
            {"Name": "a", "B": "b", "A": None},
        ],
        ids=["first", "between", "last"],
    )
    def test_none_is_left_out(self, params):
        assert body_of(params) == b'{"Name": "a", "B": "b"}'

    @pytest.mark.parametrize("params", [{}, {"Name": None}], ids=["no fields", "only None"])
    def test_nothing_to_send_is_an_empty_object(self, params):
        assert body_of(params) == b"{}"

    @pytest.mark.parametrize(
        "names", [("P", "Name"), ("Name", "P"), ("P",), ("P", "Q")], ids="+".join
    )
    def test_base64_may_stand_anywhere(self, names):
        params = {name: "a" if name == "Name" else b"AAAA" for name in names}
        texts = {name: "a" if name == "Name" else "AAAA" for name in names}
        assert body_of(params) == json.dumps(texts).encode()

    def test_a_tuple_is_a_list_like_any_other(self):
        assert body_of({"TagList": ("a", "b")}) == b'{"TagList": ["a", "b"]}'

    def test_a_photo_is_not_copied(self):
        photo = Pieces([b"A" * 2**20, b"B" * 2**20])
        body = build_body({"IdCard": NUMBER, "Name": NAME, "ImageBase64": photo})
        assert all(any(piece is given for piece in body) for given in photo)


class TestPieces:
    TEXT = Pieces([b"hush", b"", b"-hush"])

    def test_together_they_are_the_text(self):
        assert bytes(self.TEXT) == b"hush-hush"
        assert self.TEXT.length == 9

    def test_printing_them_shows_how_long_the_text_is_and_nothing_of_it(self):
        assert repr(self.TEXT) == str(self.TEXT) == f"{self.TEXT}" == "<9 bytes>"


class TestReadReply:
    def test_a_success_is_read_from_result(self):
        body = answer(Result="0", Description="Name and identity card number match")
        reply = read_reply(ACTION, 200, body)
        assert reply.action == ACTION
        assert reply.code == "0"
        assert reply.description == "Name and identity card number match"
        assert reply.request_id == REQUEST_ID
        assert reply.fields["Result"] == "0"

    def test_a_business_failure_is_read_from_result(self):
        body = answer(Result="FailedOperation.CompareLowSimilarity", Description="low", Sim=26.04)
        reply = read_reply("ImageRecognitionV2", 200, body)
        assert reply.code == "FailedOperation.CompareLowSimilarity"
        assert reply.fields["Sim"] == 26.04

    def test_a_business_failure_is_read_from_error(self):
        body = answer(Error={"Code": "FailedOperation.UnKnown", "Message": "Unknown error."})
        reply = read_reply(ACTION, 200, body)
        assert (reply.code, reply.description) == ("FailedOperation.UnKnown", "Unknown error.")
        assert reply.request_id == REQUEST_ID

    def test_an_error_comes_before_a_result(self):
        body = answer(Result="0", Error={"Code": "InternalError", "Message": "fault"})
        assert read_reply(ACTION, 200, body).code == "InternalError"

    def test_no_error_is_no_error(self):
        assert read_reply(ACTION, 200, answer(Result="-1", Error=None)).code == "-1"

    @pytest.mark.parametrize("status", [200, 400, 500, 503])
    def test_an_answer_counts_whatever_the_status(self, status):
        body = answer(Error={"Code": "AuthFailure.SignatureFailure", "Message": "refused"})
        assert read_reply(ACTION, status, body).code == "AuthFailure.SignatureFailure"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    @pytest.mark.parametrize("escaped", [True, False], ids=["escaped", "raw"])
    def test_an_answer_counts_whatever_its_encoding(self, encoding, escaped):
        response = {"Response": {"Result": "0", "Description": "一致"}}
        body = json.dumps(response, ensure_ascii=escaped).encode(encoding)
        assert read_reply(ACTION, 200, body).description == "一致"

    def test_a_bytearray_is_read_like_bytes(self):
        body = answer(Result="0")
        assert read_reply(ACTION, 200, bytearray(body)) == read_reply(ACTION, 200, body)

    @pytest.mark.parametrize(
        "result", [0, -1, True, None, ["0"], {"Code": "0"}], ids=lambda value: type(value).__name__
    )
    def test_a_result_that_is_no_text_is_an_unknown_code(self, result):
        reply = read_reply(ACTION, 200, answer(Result=result))
        assert code_row(ACTION, reply.code) is UNKNOWN_CODE

    def test_an_answer_without_result_and_error_is_an_unknown_code(self):
        reply = read_reply(ACTION, 200, answer())
        assert code_row(ACTION, reply.code) is UNKNOWN_CODE
        assert reply.request_id == REQUEST_ID

    @pytest.mark.parametrize(
        "response",
        [{"Error": {}}, {"Error": {"Code": 1}}, {"Error": {"Message": "fault"}, "Result": "0"}],
        ids=["empty", "number", "message alone"],
    )
    def test_an_error_without_a_code_is_an_unknown_code(self, response):
        reply = read_reply(ACTION, 200, answer(**response))
        assert code_row(ACTION, reply.code) is UNKNOWN_CODE

    @pytest.mark.parametrize("error", ["fault", 1, True, ["fault"]])
    def test_an_error_that_is_no_object_is_an_unknown_code(self, error):
        reply = read_reply(ACTION, 200, answer(Error=error))
        assert code_row(ACTION, reply.code) is UNKNOWN_CODE

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" \n",
            b"OK",
            b"<html><body>503</body></html>",
            answer(Result="0")[:-1],
            answer(Result="0")[:20],
            b"{}",
            b'{"response": {"Result": "0"}}',
            b'{"Result": "0"}',
            b'{"Response": null}',
            b'{"Response": "0"}',
            b'{"Response": []}',
            b'[{"Response": {"Result": "0"}}]',
            b"null",
            b"0",
            b"\xff\xfe\xff",
            b"[" * 100_000,
        ],
        ids=[
            "empty",
            "blank",
            "text",
            "HTML",
            "last byte missing",
            "cut off",
            "empty object",
            "other spelling",
            "no envelope",
            "null envelope",
            "text envelope",
            "list envelope",
            "list",
            "null",
            "number",
            "not Unicode",
            "nested too deep",
        ],
    )
    @pytest.mark.parametrize("status", [200, 500, 502, 503, 504])
    def test_anything_else_leaves_the_call_uncertain(self, status, body):
        with pytest.raises(
            UncertainError, match=rf"{ACTION}: HTTP {status} with {len(body)} bytes"
        ):
            read_reply(ACTION, status, body)

    @pytest.mark.parametrize(
        ("status", "proof"),
        [
            (404, {}),
            (413, {}),
            (429, {}),
            (503, {"retry_after_header": "5"}),
            (503, {"never_forwards": True}),
            (502, {"never_forwards": True}),
        ],
    )
    @pytest.mark.parametrize(
        "body", [b"", b"<html>gateway</html>", b"{}"], ids=["empty", "HTML", "JSON"]
    )
    def test_a_gateway_that_did_not_pass_the_call_on_is_an_answer(self, status, proof, body):
        reply = read_reply(ACTION, status, body, **proof)
        assert reply.is_gateways
        assert reply.code == f"http:{status}"
        assert reply.description == f"HTTP {status} from a gateway"
        assert reply.request_id == ""
        assert code_row(ACTION, reply.code) is not NO_ANSWER

    @pytest.mark.parametrize(
        ("status", "proof"),
        [
            (500, {"retry_after_header": "5", "never_forwards": True}),
            (504, {"retry_after_header": "5", "never_forwards": True}),
            (502, {"retry_after_header": "5"}),
            (503, {"retry_after_header": "soon"}),
            (503, {"retry_after_header": "-1"}),
            (503, {"retry_after_header": ""}),
        ],
    )
    def test_a_gateway_that_proves_nothing_is_no_answer(self, status, proof):
        with pytest.raises(UncertainError, match=f"HTTP {status}"):
            read_reply(ACTION, status, b"<html>", **proof)

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("0", 0.0),
            (" 120 ", 120.0),
            ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
            ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
        ],
    )
    def test_when_to_come_back_is_read_in_seconds(self, header, seconds):
        reply = read_reply(
            ACTION,
            503,
            b"",
            retry_after_header=header,
            date_header="Sun, 06 Nov 1994 08:49:37 GMT",
        )
        assert reply.retry_after == seconds

    def test_the_name_and_number_are_struck_out_of_the_description(self):
        body = answer(Result="-1", Description=f"{NAME} is not {NUMBER}; {NAME}!")
        reply = read_reply(ACTION, 200, body, personal=(NUMBER, NAME))
        assert reply.description == "*** is not ***; ***!"

    def test_the_name_and_number_are_struck_out_of_an_error_message(self):
        error = {"Code": "InvalidParameterValue", "Message": f"value `{NUMBER}` is wrong"}
        reply = read_reply(ACTION, 200, answer(Error=error), personal=(NUMBER, NAME))
        assert reply.description == "value `***` is wrong"

    def test_an_uncertain_error_does_not_carry_the_body(self):
        body = f"<html>cannot pass on {NAME} {NUMBER}</html>".encode()
        with pytest.raises(UncertainError) as caught:
            read_reply(ACTION, 500, body)
        error = caught.value
        assert NAME not in repr(error)
        assert NUMBER not in repr(error)
        assert (error.__cause__, error.__context__) == (None, None)

    def test_a_printed_reply_does_not_show_the_fields(self):
        reply = read_reply(ACTION, 200, answer(Result="0", Name=NAME))
        assert reply.fields["Name"] == NAME
        assert NAME not in repr(reply)


class TestDate:
    MOMENT = 784_111_777.0

    def date(self, header):
        return read_reply(ACTION, 200, answer(Result="0"), date_header=header).date

    @pytest.mark.parametrize(
        "header",
        [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 -0000",
            "Sun, 06 Nov 1994 16:49:37 +0800",
        ],
        ids=["usual", "RFC 850", "asctime", "unknown zone", "Beijing"],
    )
    def test_every_form_http_allows_is_read(self, header):
        assert self.date(header) == self.MOMENT

    @pytest.mark.parametrize(
        "header",
        [
            "",
            " ",
            "now",
            "784111777",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 +99999999999999999999",
            "Fri, 31 Dec 9999 23:59:59 -2300",
        ],
    )
    def test_anything_else_is_no_date(self, header):
        assert self.date(header) is None

    @given(st.text())
    def test_no_text_is_too_much_for_it(self, text):
        assert isinstance(Reply(ACTION, "0", date_header=text).date, float | None)


class TestStrikeOut:
    @pytest.mark.parametrize("personal", [("Wei", "Wei Xiaobao"), ("Wei Xiaobao", "Wei")])
    def test_a_value_inside_another_does_not_leave_the_rest(self, personal):
        assert strike_out("Wei Xiaobao and Wei", personal) == "*** and ***"

    @pytest.mark.parametrize("value", ["", None, b"text", 1, {"a": "text"}])
    def test_only_values_of_text_are_looked_for(self, value):
        assert strike_out("1 text", [value]) == "1 text"
