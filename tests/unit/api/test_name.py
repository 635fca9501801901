import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.api import name
from airflow_provider_faceid.exceptions import InvalidInputError

MINORITY = "阿卜杜拉·买买提"
TRICKY = (
    "李王·•・．‧.,'’- \t\u3000\u00a0〇々\U00020bb7Aa\u0301\u200b1"
    "\u1427\u1401\u318d\ua78f\u0387\u2e31\ufe52\u25cf\u200c\u200d\u094d\u092a\u0932\u180e\u1820\ufeff\u202e"
    "ＡｂＣ\uff70\uff76\uff9e\uf92c\u2f08\ufb01\ufefb\u0958e\u0323\ufe0f\U000e0100"
)

LOOK_ALIKES = [
    pytest.param("\u2022", id="bullet"),
    pytest.param("\u30fb", id="katakana middle dot"),
    pytest.param("\uff0e", id="full-width full stop"),
    pytest.param("\u2027", id="hyphenation point"),
    pytest.param("\u2219", id="bullet operator"),
    pytest.param("\u22c5", id="dot operator"),
    pytest.param("\uff65", id="half-width katakana middle dot"),
    pytest.param(".", id="full stop"),
    pytest.param("\u1427", id="Canadian syllabics final middle dot"),
    pytest.param("\ua78f", id="sinological dot"),
    pytest.param("\u318d", id="Korean araea"),
    pytest.param("\u0387", id="Greek ano teleia"),
    pytest.param("\u2e31", id="word separator middle dot"),
    pytest.param("\u2e33", id="raised dot"),
    pytest.param("\u16eb", id="Runic punctuation"),
    pytest.param("\U00010101", id="Aegean word separator dot"),
    pytest.param("\ufe52", id="small full stop"),
    pytest.param("\u2024", id="one dot leader"),
    pytest.param("\u02d9", id="dot above"),
    pytest.param("\u25cf", id="black circle"),
    pytest.param(" \u2e31\u3000", id="with blanks around"),
]


@pytest.mark.parametrize("dot", LOOK_ALIKES)
def test_a_look_alike_dot_between_han_becomes_the_middle_dot(dot):
    assert name.prepare(MINORITY.replace("·", dot)) == MINORITY


@pytest.mark.parametrize("dot", LOOK_ALIKES)
def test_every_dot_of_a_long_name_is_replaced(dot):
    assert name.prepare(dot.join(["甲甲", "乙乙", "丙丙"])) == "甲甲·乙乙·丙丙"


@pytest.mark.parametrize("dots", ["··", " · · ", "•·", "\u2027\u2027"])
def test_several_dots_in_a_row_are_one(dots):
    assert name.prepare(MINORITY.replace("·", dots)) == MINORITY


@pytest.mark.parametrize("value", ["张\u25cf明", "欧阳\u25cf\u25cf", "\u25cf\u25cf"])
def test_a_black_circle_that_hides_a_character_is_no_dot(value):
    assert name.broken_rule(value) == "name_characters"


@pytest.mark.parametrize("value", ["ᐊ\u1427ᐃ", "ᐱ\u1427"])
def test_a_dot_that_is_a_letter_of_its_script_stays(value):
    assert name.prepare(value) == value


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        pytest.param("Ｗｅｉ　Ｘｉａｏｂａｏ", "Wei Xiaobao", id="full-width Latin"),
        pytest.param("Ｊ．Ｓｍｉｔｈ", "J.Smith", id="full-width initial"),
        pytest.param("Ｏ＇Ｎｅｉｌ－Ｓｍｉｔｈ", "O'Neil-Smith", id="full-width marks"),
        pytest.param("Nguye\u0302\u0303n", "Nguyễn", id="decomposed Vietnamese"),
        pytest.param("\u1112\u1161\u11ab", "\ud55c", id="decomposed Hangul"),
        pytest.param("か\u3099", "が", id="decomposed Kana"),
        pytest.param("ﾔﾏﾀﾞ", "ヤマダ", id="half-width Kana"),
        pytest.param("\ufb01nn", "finn", id="ligature"),
        pytest.param("\U0001d413im", "Tim", id="mathematical letter"),
        pytest.param("\ufe8d\ufedf\ufee2", "الم", id="Arabic presentation forms"),
        pytest.param("\uf92c三e\u0301", "\uf92c三é", id="compatibility ideograph beside a letter"),
    ],
)
def test_a_name_typed_in_another_form_is_sent_in_the_ordinary_one(value, sent):
    assert name.prepare(value) == sent


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("नेपा\u200dली", id="Nepali"),
        pytest.param("मुक्\u200dतिनाथ", id="Hindi half form"),
        pytest.param("می\u200cخواهم", id="Persian"),
        pytest.param("ക്\u200dഷ", id="Malayalam"),
        pytest.param("മോഹന്\u200d", id="Malayalam chillu at the end"),
        pytest.param("ක්\u200dරිශාන්", id="Sinhala"),
        pytest.param("ᠰᠠᠷᠠ\u180eᠠ", id="Mongolian vowel separator"),
    ],
)
def test_a_joiner_that_a_script_needs_stays(value):
    assert name.prepare(value) == value


SURROUNDED = ["\u200b", "\ufeff", "\u00ad", "\u2060", "\u200e", "\u200f", "\u061c"]
SURROUNDED += [
    "\u200c",
    "\u200d",
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
]


@pytest.mark.parametrize("mark", SURROUNDED, ids=lambda mark: f"U+{ord(mark):04X}")
@pytest.mark.parametrize("called", ["韦小宝", "Wei Xiaobao", "नेपाली", "علی"])
def test_an_invisible_mark_around_a_name_goes(called, mark):
    assert (
        name.prepare(f"{mark}{called}{mark}") == name.prepare(f" {mark} {called} {mark}") == called
    )


@pytest.mark.parametrize("mark", SURROUNDED, ids=lambda mark: f"U+{ord(mark):04X}")
def test_an_invisible_mark_between_han_or_latin_letters_goes(mark):
    assert name.prepare(f"韦{mark}小宝") == "韦小宝"
    assert name.prepare(f"Wei{mark} Xiao{mark}bao") == "Wei Xiaobao"


@pytest.mark.parametrize(
    "value",
    [
        "nan",
        "NaN",
        "NAN",
        "None",
        "NULL",
        "null",
        "Null",
        "<NA>",
        "NaT",
        "NA",
        "N/A",
        "#N/A",
        " nan ",
    ],
)
def test_the_text_of_a_missing_value_is_no_name_unless_it_is_somebodys(value):
    assert name.broken_rule(value) == "name_missing_text"
    asked = name.broken_rule(value, frozenset({"name_missing_text"}))
    assert asked == ("name_characters" if set(value) & set("</#") else None)


@pytest.mark.parametrize("value", ["Jennifer Null", "Nan Li", "Na", "Nana", "Nones"])
def test_a_name_in_which_such_a_text_occurs_is_one(value):
    assert name.prepare(value) == value


def test_the_middle_dot_is_the_one_of_the_notice():
    assert name.MIDDLE_DOT == "\N{MIDDLE DOT}"


def test_the_full_stop_of_an_initial_stays():
    assert name.prepare("J. Smith Jr.") == "J. Smith Jr."


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("李", id="one character"),
        pytest.param("李" * 50, id="50 characters"),
        pytest.param("Wei Xiaobao", id="pinyin"),
        pytest.param("Nguyễn Thị Ánh", id="accents"),
        pytest.param("O'Neil-Smith, Jr.", id="apostrophe, hyphen, comma"),
        pytest.param("D’Arcy", id="typographic apostrophe"),
        pytest.param("ئابدۇللا", id="Uyghur script"),
    ],
)
def test_a_name_that_is_sent_unchanged(value):
    assert name.prepare(value) == value


@pytest.mark.parametrize(
    "character",
    [
        pytest.param("\u3007", id="ideographic zero"),
        pytest.param("\u3005", id="iteration mark"),
        pytest.param("\u3400", id="extension A"),
        pytest.param("\u9fff", id="end of the first block"),
        pytest.param("\U00020bb7", id="extension B"),
        pytest.param("\U0002ebe0", id="extension F"),
        pytest.param("\U00030000", id="extension G"),
        pytest.param("\U000323b0", id="newer than this Python"),
        pytest.param("\uf900", id="compatibility character"),
        pytest.param("\ue863", id="private use"),
    ],
)
def test_a_rare_han_character_is_a_letter_and_stays_itself(character):
    assert name.prepare(f"李{character}") == f"李{character}"


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        pytest.param("  Wei Xiaobao\n", "Wei Xiaobao", id="outer blanks"),
        pytest.param("\u3000韦小宝\u00a0", "韦小宝", id="wide outer blanks"),
        pytest.param("Wei \t  Xiaobao", "Wei Xiaobao", id="several inner blanks"),
        pytest.param("Wei\u3000Xiaobao", "Wei Xiaobao", id="full-width blank in pinyin"),
        pytest.param("韦 小  宝", "韦小宝", id="blanks between Han"),
        pytest.param("韦\u3000小宝", "韦小宝", id="full-width blank between Han"),
        pytest.param("\U00020bb7 小", "\U00020bb7小", id="blank after a rare Han character"),
        pytest.param("李 〇 々", "李〇々", id="blanks around the ideographic zero"),
        pytest.param("韦小宝 Wei", "韦小宝 Wei", id="blank between scripts"),
    ],
)
def test_blanks_are_tidied(value, sent):
    assert name.prepare(value) == sent


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        pytest.param(None, "name_missing", id="None"),
        pytest.param("", "name_missing", id="empty"),
        pytest.param(" \t\u3000", "name_missing", id="blanks"),
        pytest.param(1, "name_not_text", id="int"),
        pytest.param("韦小宝".encode(), "name_not_text", id="bytes"),
        pytest.param(["韦小宝"], "name_not_text", id="list"),
        pytest.param("李" * 51, "name_length", id="51 characters"),
        pytest.param("\U00020bb7" * 51, "name_length", id="51 rare characters"),
        pytest.param("李1", "name_characters", id="digit"),
        pytest.param("李１", "name_characters", id="full-width digit"),
        pytest.param("李😀", "name_characters", id="emoji"),
        pytest.param("李\x00", "name_characters", id="NUL"),
        pytest.param("李\x7f", "name_characters", id="delete"),
        pytest.param("李\ud800", "name_characters", id="half a surrogate pair"),
        pytest.param("李\ufffd", "name_characters", id="replacement character"),
        pytest.param("李?", "name_characters", id="question mark of a bad conversion"),
        pytest.param("李*", "name_characters", id="masked"),
        pytest.param("<b>", "name_characters", id="markup"),
        pytest.param("a@b", "name_characters", id="address"),
        pytest.param("·", "name_characters", id="a dot alone"),
        pytest.param("- '", "name_characters", id="joiners alone"),
    ],
)
def test_what_is_no_name(value, rule):
    assert name.broken_rule(value) == rule


def test_the_length_counts_after_tidying():
    assert name.prepare(f"  {'李 ' * 50}") == "李" * 50


@given(st.text(max_size=60) | st.text(st.sampled_from(TRICKY), max_size=20))
@example("李 . 王")
@example("李. 王 .〇")
@example("\u180b\u180b")
@settings(max_examples=300, deadline=None)
def test_a_tidy_name_is_left_alone(value):
    tidy = name.normalise(value)
    assert name.normalise(tidy) == tidy


@given(st.text(st.sampled_from(TRICKY), max_size=60))
@settings(max_examples=100, deadline=None)
def test_a_name_and_its_tidy_form_are_judged_alike(value):
    assert name.broken_rule(name.normalise(value)) == name.broken_rule(value)


def test_a_refused_name_names_its_rule_and_not_its_value():
    with pytest.raises(InvalidInputError) as caught:
        name.prepare("韦小宝1")
    assert caught.value.rule == "name_characters"
    assert "韦小宝" not in repr(caught.value)
