"""What makes a question private, and what only looks like it."""

import base64
import string
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_tool.errors import ConfigError
from fusion_tool.routing.policy.private_data import VALIDATORS, cpf, dni, iban, load_patterns, luhn, private_pattern

HEX40 = "d670460b4b4aece5915caf5c68d12f560a9fe3e4"


def key(prefix: str, length: int = 40) -> str:
    """A key that is none: scanners of this repository must not find one."""
    body = (string.ascii_letters[::3] + string.digits) * 10
    return prefix + body[:length]


JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"HS256"}', b'{"sub":"1234567890"}', b"0123456789abcdef0123")
)
PEM = "-----BEGIN {}PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\n-----END"

PRIVATE = [
    ("private key", PEM.format("RSA ")),
    ("private key", PEM.format("OPENSSH ")),
    ("private key", PEM.format("")),
    ("private key", '{"private_key": "' + PEM.format("").replace("\n", "\\n") + '"}'),
    ("API key", f"Why does OpenAI refuse {key('sk-proj-')}?"),
    ("API key", f"curl -H 'x: {key('sk-ant-api03-', 80)}'"),
    ("API key", key("sk-or-v1-", 64)),
    ("API key", f"Stripe says {key('sk_live_', 24)} is revoked"),
    ("API key", f"?key={key('AIza', 35)}&q=x"),
    ("API key", key("gsk_", 52)),
    ("API key", key("xai-", 80)),
    ("API key", key("hf_", 34)),
    ("access token", f"git clone with {key('ghp_', 36)}"),
    ("access token", key("github_pat_", 60)),
    ("access token", key("glpat-", 20)),
    ("access token", "xoxb-" + "2" * 12 + "-" + "3" * 12 + "-abcdefABCDEF"),
    ("AWS access key", "AKIA" + "ABCDEFGH234567IJ"),
    ("JSON web token", f"decode {JWT} for me"),
    ("authorization header", "curl -H 'Authorization: Bearer 8f14e45fceea167a5a36'"),
    ("password or key in an assignment", "DB_PASSWORD=correct7horse"),
    ("password or key in an assignment", 'password: "S3cr3t!pass"'),
    ("password or key in an assignment", "my aws_secret_access_key = wJalrXUtnFEMIK7MDENGbPxRfiCYzzzzzzzzKEY9"),
    ("password or key in an assignment", "{dbPassword: 'n0rdw1nd'}"),
    ("password or key in an assignment", "apiKey: '4f3c2b1a9e8d7c6b'"),
    ("password in a sentence", "The admin password is Tr0ub4dor&3, why is it refused?"),
    ("password in a sentence", "das Passwort lautet: geheim99"),
    ("password in an address", "psql postgresql://admin:w4sserfall@db.internal:5432/app fails"),
    ("e-mail address", "Draft a reply to jane.doe@acme-corp.de about the delay."),
    ("e-mail address", "Who is m.müller+jobs@mail.example-firm.co.uk?"),
    ("phone number", "Call +49 30 901820-14 and ask"),
    ("phone number", "Whose number is +4915112345678?"),
    ("phone number", "She left (212) 736-5000 on the machine"),
    ("phone number", "my phone number is 0171 2345678"),
    ("IBAN", "Transfer to DE89 3704 0044 0532 0130 00 please"),
    ("IBAN", "GB82WEST12345698765432"),
    ("payment card", "My card 4111 1111 1111 1111 was refused"),
    ("payment card", "card 5500005555555559"),
    ("payment card", "3782-822463-10005"),
    ("US social security number", "My SSN is 219-09-9999, am I covered?"),
    ("UK national insurance number", "NI number AB 12 34 56 C"),
    ("Spanish DNI or NIE", "DNI 12345678Z"),
    ("Spanish DNI or NIE", "NIE X1234567L"),
    ("Brazilian CPF", "CPF 529.982.247-25"),
    ("numbered identity document", "My passport number is C01X00T47"),
    ("numbered identity document", "Steuer-ID: 86 095 742 719"),
]

PUBLIC = [
    "When was the Alder mill built?",
    f"What did commit {HEX40} change?",
    f"git show {HEX40[:7]} and sha256:{HEX40}{HEX40[:24]}",
    f"token: {HEX40}",
    "Is order 123-456-7890 late? Its number is 4500123456789013.",
    "Invoice 2024-10-31-0007, customer 10045678, article 9783161484100",
    "ISBN 978-3-16-148410-0 and EAN 4006381333931",
    "Upgrade numpy 1.26.4 to 2.1.0rc1, build 20240115.123456",
    "pip install react@18.2.0 or pkg@1.2.3-beta.4",
    "npm i @types/node@20.11.30 @angular/core@17.3.0",
    "git clone git@github.com:acme/widgets.git",
    "Write to support@acme.de, info@acme.de or no-reply@acme.de.",
    "How do I validate user@example.com or a@b.test?",
    "def f(self): return self.api_key",
    "api_key = os.environ['OPENAI_API_KEY']",
    "api_key=process.env.OPENAI_API_KEY2",
    "OPENAI_API_KEY=sk-...",
    "export OPENAI_API_KEY=sk-your-key-here-0123456789",
    "password: required, 8-16 characters",
    "password = input()",
    "PASSWORD=${DB_PASSWORD1}",
    "password=<your-password-1>",
    "Which is better for passwords: length or complexity? Password: argon2id or bcrypt?",
    "My password is not accepted anywhere",
    "The password is hashed with sha256.",
    "What does -----BEGIN RSA PRIVATE KEY----- mean?",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
    "AKIAIOSFODNN7EXAMPLE is in AWS's documentation",
    "How are sk-learn pipelines and sk-SK locales named?",
    "uuid 550e8400-e29b-41d4-a716-446655440000",
    "The meeting is 2026-11-22T10:30:00+01:00, or +0530",
    "Compute 5 +12345678901 and 3.4111111111111111",
    "1700000000000000 microseconds, 1700000000 seconds",
    "IPv4 192.168.100.200 and 10.0.0.1:8080, MAC 00:1B:44:11:3A:B7",
    "coordinates 48.858370, 2.294481",
    "DE89 3704 0044 0532 0130 01 is a mistyped account",
    "Card 4111 1111 1111 1112 fails the check, why?",
    "Part 000-12-3456, 666-12-3456 and 123-00-4567",
    "12345678A is no identity number",
    "CPF 111.111.111-11 is refused",
    "What is Section 230 and form W-2? passport number is required",
    "Call 555-0100 in the film; 555 timers; call me at 5",
    "iPhone 15 Pro 256GB against Galaxy S24",
    "https://user:password@example.com is deprecated",
    "http://localhost:8000/v1 and redis://cache:6379/0",
    "f(x) = 3x^2, chromosome 4q35, E=mc2",
    "Why did the euro fall to 1.0345-1.0567 on 2026-03-01?",
    "Bearer tokens and JWTs: which lasts longer?",
    "Authorization: Bearer <token>",
    "@app.route and @dataclass(frozen=True) in Python 3.11",
    "What does 219-09-9999-12 name?",
    "SELECT * FROM t WHERE id IN (10000001, 10000002)",
    "AB123456C4 is a part; NK 12 34 56 A was never issued",
]


@pytest.fixture(scope="module")
def patterns(tmp_path_factory):
    return load_patterns(tmp_path_factory.mktemp("empty"))


@pytest.mark.parametrize(("name", "text"), PRIVATE, ids=[f"{n}: {t[:24]}" for n, t in PRIVATE])
def test_a_private_question_is_known_by_what_makes_it_so(patterns, name, text):
    assert private_pattern(text, "", patterns) == name
    assert private_pattern("What is this?", f"Earlier: {text}", patterns) == name


@pytest.mark.parametrize("text", PUBLIC)
def test_what_only_looks_private_is_not(patterns, text):
    assert private_pattern(text, text, patterns) is None


def test_every_shipped_pattern_is_shown_by_an_example(patterns):
    assert {name for name, _ in PRIVATE} == {pattern.name for pattern in patterns}
    assert {pattern.check for pattern in patterns} - {None} == set(VALIDATORS)


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 200_000,
        "a." * 100_000,
        "a@" * 100_000,
        "1" * 200_000,
        "1 " * 100_000,
        "+1 2" * 50_000,
        "password" * 25_000,
        "a_" * 100_000 + "password",
        "-----BEGIN PRIVATE KEY-----" * 8_000,
        "eyJ" + "a" * 200_000,
        "sk-" * 60_000,
        "DE89 " + "3704 " * 40_000,
        "x://" * 50_000 + "u:p",
        "x://u" + ":p" * 100_000,
        "tel " * 50_000,
        "a-" * 50_000 + "@" + "b." * 50_000,
    ],
    ids=range(16),
)
def test_no_text_makes_it_slow(patterns, hostile):
    started = time.process_time()
    private_pattern(hostile, "", patterns)
    assert time.process_time() - started < 2.0


def test_a_question_is_read_in_well_under_a_routing_decision(patterns):
    question = "Compare the two suppliers' delivery records since 2019 and tell which is cheaper. " * 10
    private_pattern(question, "", patterns)
    started = time.process_time()
    for _ in range(20):
        private_pattern(question, "", patterns)
    assert (time.process_time() - started) / 20 < 0.005


@given(st.integers(min_value=10**14, max_value=10**15 - 1).filter(lambda number: len(set(str(number))) > 1))
def test_luhn_takes_one_check_digit_of_ten(number):
    assert sum(luhn(f"{number}{digit}") for digit in range(10)) == 1


@given(st.integers(min_value=0, max_value=10**18 - 1))
def test_iban_takes_one_pair_of_check_digits(account):
    taken = [n for n in range(2, 99) if iban(f"DE{n:02}{account:018}")]
    assert len(taken) == 1


@given(st.integers(min_value=0, max_value=99_999_999))
def test_dni_takes_one_letter(number):
    assert sum(dni(f"{number:08}{letter}") for letter in string.ascii_uppercase) == 1


@given(st.integers(min_value=1, max_value=999_999_998).filter(lambda number: len(set(f"{number:09}")) > 1))
def test_cpf_takes_one_pair(number):
    assert sum(cpf(f"{number:09}{pair:02}") for pair in range(100)) == 1


@settings(max_examples=50)
@given(st.text(max_size=300), st.sampled_from(PRIVATE))
def test_surroundings_of_blanks_do_not_hide_it(noise, example):
    name, text = example
    assert private_pattern(f"{noise}\n\n{text}\n\n{noise}", "", load_patterns(Path("/nonexistent"))) is not None, name


def test_a_users_own_pattern_comes_first_and_one_is_turned_off(tmp_path):
    (tmp_path / "private_patterns.toml").write_text(
        '["codename"]\npattern = "(?i)\\\\bblue heron\\\\b"\n\n["e-mail address"]\noff = true\n', "utf-8"
    )
    own = load_patterns(tmp_path)
    assert private_pattern("Is Blue Heron late? Ask jane.doe@acme.de", "", own) == "codename"
    assert private_pattern("Ask jane.doe@acme.de", "", own) is None
    assert private_pattern("Card 4111 1111 1111 1111", "", own) == "payment card"


def test_a_changed_file_is_read_again(tmp_path):
    path = tmp_path / "private_patterns.toml"
    assert private_pattern("the osprey", "", load_patterns(tmp_path)) is None
    path.write_text('[bird]\npattern = "osprey"\n', "utf-8")
    assert private_pattern("the osprey", "", load_patterns(tmp_path)) == "bird"


def test_a_users_endless_pattern_counts_as_found(tmp_path, monkeypatch):
    monkeypatch.setattr("fusion_tool.routing.policy.private_data._PATIENCE", 0.05)
    (tmp_path / "private_patterns.toml").write_text('[slow]\npattern = "(?:a|aa|a?a)+$"\n', "utf-8")
    assert private_pattern("a" * 64 + "b", "", load_patterns(tmp_path)) == "slow"


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ('[x]\npattern = "("\n', "x.pattern", "no regular expression"),
        ('[x]\npatern = "a"\n', "x", "expected a table with a pattern"),
        ('[x]\npattern = "a"\nsharp = true\n', "x.sharp", "no such setting"),
        ('[x]\npattern = "a"\ncheck = "vibes"\n', "x.check", "no check 'vibes'"),
        ('[x]\npattern = "a"\nholds = "a"\n', "x.holds", "a list of words"),
        ("x = 1\n", "x", "expected a table"),
        ("[x\n", None, "not valid TOML"),
    ],
)
def test_a_wrong_file_says_what_is_wrong_and_where(tmp_path, text, field, said):
    (tmp_path / "private_patterns.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_patterns(tmp_path)
    assert caught.value.field == field
    assert said in str(caught.value)
    assert "private_patterns.toml" in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "private_patterns.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot read"):
        load_patterns(tmp_path)
