"""Nothing secret is in a line that somebody reads."""

import json

import pytest

from common.words import LONGEST, LONGEST_SENTENCE, brief, masked, passwords, shown, without_secrets


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("no answer from postgresql://me:mine@host/db.", "no answer from postgresql://***@host/db."),
        ("postgres://me:mi/n@e@host", "postgres://***@host"),
        ("http://token@host and https://host/path", "http://***@host and https://host/path"),
        ("postgresql://host/db?password=mine&user=me", "postgresql://host/db?password=***&user=me"),
        ("db_password: mine, sslkey=mine", "db_password: ***, sslkey=***"),
        ("my_token_2=mine --keys: mine", "my_token_2=*** --keys: ***"),
        ("no 'postgresql://host/db?password=mine' there", "no 'postgresql://host/db?password=***' there"),
        ("""password='mine', token = "a b"; secret=''.""", """password='***', token = "***"; secret='***'."""),
        ("""{'password': 'mi'ne', "key": "mine"}""", """{'password': '***', "key": "***"}"""),
        ("password=mi'ne, sslkey='mine", "password=***, sslkey=***"),
        ("'password=mine': no such file", "'password=***': no such file"),
        ("the key is kept", "the key is kept"),
        ("KeyError: 'layers'; KeyboardInterrupt: again", "KeyError: 'layers'; KeyboardInterrupt: again"),
        ("it says abcdef-12", "it says ***"),
        ('no answer to per"cent', "no answer to ***"),
        ("learning_rate=0.1 at 10:30", "learning_rate=0.1 at 10:30"),
    ],
)
def test_what_proves_who_somebody_is_is_not_shown(text, safe, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "abcdef-12")
    monkeypatch.setenv("DATABASE", 'postgresql://me:per"cent@host/db')
    monkeypatch.setenv("MY_TOKEN", "a")  # too short to be one, and found in every text
    assert masked(text) == safe


@pytest.mark.parametrize("part", ["x", "key", "key_", "key='", "key=' ", "'", "://", "://a:", "a:// ", "=", " "])
def test_a_long_text_is_masked_in_passing(part):
    """By patterns that would go back and forth in it, it took hours."""
    text = part * (10**6 // len(part))
    assert masked(f"{text} password=mine") == f"{masked(text)} password=***"
    assert passwords(f"{text} a://me:mine@host") == ["mine"]


def test_passwords_are_those_of_addresses():
    text = "a='b://me:mi@ne@host', c://host:80/d e://me@host f://:other@host:80"
    assert passwords(text) == ["mi@ne", "other"]


def test_a_sentence_is_one_short_line_that_steers_no_terminal():
    assert brief("a\n\n b\u00a0c\r\td") == "a b c d"
    assert brief("\x1b[2Jgone\x07\x9b, \u202eand back") == "[2Jgone, and back"
    assert brief("x" * 10**6 + "end").endswith("xend")
    assert len(brief("x" * 10**6)) <= LONGEST_SENTENCE


def test_what_is_json_stays_so_without_its_secrets(monkeypatch):
    secret = 'a "quoted\\" päss\nword'
    monkeypatch.setenv("MY_PASSWORD", secret)
    assert json.loads(without_secrets(json.dumps({"a": f"it is {secret}!"}))) == {"a": "it is ***!"}


@pytest.mark.parametrize(
    "value", ["x" * 10**6, 10**400, 10**5000, -(10**5000), [10**5000], ["x" * 999] * 999, b"x" * 999], ids=type
)
def test_what_is_long_is_shown_in_part(value):
    assert len(shown(value)) <= LONGEST


@pytest.mark.parametrize("value", ["a", "x" * (LONGEST - 2), 7, 10**60, 0.1, None, True, [1, 2], {"a": 1}])
def test_what_is_short_is_shown_as_code_has_it(value):
    assert shown(value) == repr(value)


def test_no_line_ends_and_no_escape_codes_are_shown():
    assert shown("a\n\x1b[31mb\r\u202e").isprintable()
