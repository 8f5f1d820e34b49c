import json
from dataclasses import fields

import pytest

from core.settings import Policy, Settings, SettingsError, load


def test_the_defaults_are_the_contracts() -> None:
    settings = load({})
    assert settings == Settings()
    assert (settings.api_url, settings.api_key) == ("http://127.0.0.1:8001", None)
    assert (settings.policy.retries, settings.policy.timeout_s) == (3, 5.0)
    assert settings.monitoring_interval_s == 30
    policy = Policy()
    assert (policy.base_s, policy.factor, policy.cap_s) == (1, 2, 30)
    assert (policy.breaker_threshold, policy.breaker_cooldown_s) == (5, 30)
    assert (policy.pool_connections, policy.pool_keepalive) == (10, 5)
    assert (policy.deadline_s, policy.gate_cache_s, policy.resume_interval_s) == (60, 1.5, 5)
    assert (policy.budget_ratio, policy.budget_min) == (0.1, 3)
    assert policy.verify is True
    assert (settings.enable_metrics, settings.rate_limit_enabled) == (True, True)
    assert (settings.use_api_fallback, settings.disable_local_init) == (True, True)


NUMBERS = [
    ("DTMS_API_PORT", ("1", "65535"), ("0", "65536", " ", "1_0"), "a whole number from 1 to 65535"),
    ("DTMS_RETRY_COUNT", ("0", "100"), ("-1", "101", "1.5"), "a whole number from 0 to 100"),
    ("DTMS_TIMEOUT", ("0.01", "600"), ("0.009", "600.5", "1_0", "nan", "soon"),
     "seconds from 0.01 to 600"),
    ("DTMS_MONITORING_INTERVAL", ("0.05", "86400"), ("0.049", "86400.5", "inf", ""),
     "seconds from 0.05 to 86400"),
]  # fmt: skip


def told(settings: Settings, name: str) -> object:
    return {
        "DTMS_API_PORT": settings.port,
        "DTMS_RETRY_COUNT": settings.policy.retries,
        "DTMS_TIMEOUT": settings.policy.timeout_s,
        "DTMS_MONITORING_INTERVAL": settings.monitoring_interval_s,
        "DTMS_ENABLE_METRICS": settings.enable_metrics,
        "DTMS_RATE_LIMIT_ENABLED": settings.rate_limit_enabled,
        "DTMS_USE_API_FALLBACK": settings.use_api_fallback,
        "DTMS_DISABLE_LOCAL_INIT": settings.disable_local_init,
    }[name]


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, good, _, _ in NUMBERS for value in good]
)
def test_a_number_at_its_bound_is_taken(name: str, value: str) -> None:
    assert told(load({name: value}), name) == float(value)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [(name, value, allowed) for name, _, bad, allowed in NUMBERS for value in bad],
)
def test_a_number_beyond_its_bounds_is_refused(name: str, value: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load({name: value})
    assert str(refusal.value) == f"{name} is {value!r}; it must be {allowed}"


def test_the_environment_is_on_top_of_the_file(tmp_path) -> None:
    file = tmp_path / "dtms_config.json"
    file.write_text(json.dumps({"DTMS_API_PORT": 9001, "DTMS_RETRY_COUNT": 7}))
    settings = load({"DTMS_API_PORT": "9002", "OTHER": "x"}, file)
    assert (settings.port, settings.policy.retries) == (9002, 7)


def test_a_file_that_is_not_there_is_no_error(tmp_path) -> None:
    assert load({}, tmp_path / "none.json") == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DTMS_API_HOST", "no host!"),
        ("DTMS_API_HOST", ""),
        ("DTMS_API_PORT", "0"),
        ("DTMS_API_PORT", "70000"),
        ("DTMS_API_PORT", "eighty"),
        ("DTMS_RETRY_COUNT", "-1"),
        ("DTMS_RETRY_COUNT", "1.5"),
        ("DTMS_TIMEOUT", "0"),
        ("DTMS_TIMEOUT", "nan"),
        ("DTMS_TIMEOUT", "soon"),
        ("DTMS_MONITORING_INTERVAL", "inf"),
        ("DTMS_ENABLE_METRICS", "maybe"),
        ("DTMS_RATE_LIMIT_ENABLED", "2"),
        ("DTMS_USE_API_FALLBACK", ""),
        ("DTMS_DISABLE_LOCAL_INIT", "?"),
    ],
)
def test_a_bad_value_is_refused_by_name_and_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load({name: value})
    assert name in str(refusal.value)
    assert repr(value) in str(refusal.value)


def test_a_bad_key_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError) as refusal:
        load({"DTMS_API_KEY": "gehe\nim"})
    assert str(refusal.value) == "DTMS_API_KEY must be at most 512 printable ASCII characters"


def test_a_key_may_be_long_but_not_longer() -> None:
    assert load({"DTMS_API_KEY": "k" * 512}).api_key == "k" * 512
    with pytest.raises(SettingsError):
        load({"DTMS_API_KEY": "k" * 513})


def test_a_key_never_shows_in_a_representation() -> None:
    settings = load({"DTMS_API_KEY": "sesame"})
    assert settings.api_key == "sesame"
    assert "sesame" not in repr(settings)
    assert load({"DTMS_API_KEY": ""}).api_key is None


SWITCHES = ["DTMS_ENABLE_METRICS", "DTMS_RATE_LIMIT_ENABLED", "DTMS_USE_API_FALLBACK",
            "DTMS_DISABLE_LOCAL_INIT"]  # fmt: skip


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize(
    ("word", "meant"),
    [("true", True), ("1", True), ("YES", True), (" on", True),
     ("false", False), ("0", False), ("No", False), ("off ", False)],
)  # fmt: skip
def test_switches_are_read_in_many_words(name: str, word: str, meant: bool) -> None:
    assert told(load({name: word}), name) is meant


def test_ip_addresses_and_names_are_hosts() -> None:
    assert load({"DTMS_API_HOST": "::1"}).api_url == "http://[::1]:8001"
    assert load({"DTMS_API_HOST": "dtms.internal"}).host == "dtms.internal"
    assert load({"DTMS_API_HOST": "DTMS-2.Internal"}).host == "DTMS-2.Internal"


@pytest.mark.parametrize("host", ["10.0.0.256", "12345", "dtms.1"])
def test_a_mistyped_address_is_no_name(host: str) -> None:
    with pytest.raises(SettingsError, match="must be a host name or an IP address"):
        load({"DTMS_API_HOST": host})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "{file} cannot be read as JSON: "),
        ("[" * 100_000, "{file} cannot be read as JSON: "),
        ("[]", "{file} must hold a JSON object"),
        ('{"DTMS_API_PROT": 1}', "{file} has no setting called DTMS_API_PROT"),
        ('{"DTMS_API_PORT": true}', "DTMS_API_PORT is True; "),
        ('{"DTMS_TIMEOUT": true}', "DTMS_TIMEOUT is True; "),
    ],
)
def test_a_bad_file_is_refused(tmp_path, content: str, why: str) -> None:
    file = tmp_path / "dtms_config.json"
    file.write_text(content)
    with pytest.raises(SettingsError) as refusal:
        load({}, file)
    assert str(refusal.value).startswith(why.format(file=file))


def test_a_folder_is_no_file(tmp_path) -> None:
    with pytest.raises(SettingsError, match="cannot be read as JSON"):
        load({}, tmp_path)


def test_a_file_is_read_as_utf_8(tmp_path) -> None:
    file = tmp_path / "dtms_config.json"
    file.write_bytes('{"DTMS_API_HOST": "börse"}'.encode())
    with pytest.raises(SettingsError, match="börse"):
        load({}, file)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path) -> None:
    file = tmp_path / "dtms_config.json"
    file.write_bytes(b'\xef\xbb\xbf{"DTMS_API_PORT": 9001}')
    assert load({}, file).port == 9001


def test_a_policy_is_read_from_a_mapping() -> None:
    policy = Policy.from_mapping({"base_s": 0.1, "retries": 2, "verify": False})
    assert (policy.base_s, policy.retries, policy.verify) == (0.1, 2, False)


BOUNDS = [
    ("retries", 0, 100), ("base_s", 0, 3_600), ("factor", 1, 100), ("cap_s", 0, 3_600),
    ("timeout_s", 0.001, 600), ("deadline_s", 0.001, 86_400),
    ("breaker_threshold", 1, 1_000_000), ("breaker_cooldown_s", 0, 86_400),
    ("gate_cache_s", 0, 3_600), ("resume_interval_s", 0.001, 3_600),
    ("budget_ratio", 0, 100), ("budget_min", 0, 1_000_000),
    ("pool_connections", 1, 10_000), ("pool_keepalive", 0, 10_000),
]  # fmt: skip
WHOLE = {"retries", "breaker_threshold", "budget_min", "pool_connections", "pool_keepalive"}


@pytest.mark.parametrize(("name", "low", "high"), BOUNDS)
def test_a_policys_number_is_taken_within_its_bounds_and_refused_beyond(name, low, high) -> None:
    for value in (low, high):
        assert getattr(Policy.from_mapping({name: value}), name) == value
    kind = "a whole number" if name in WHOLE else "a number"
    beyond = (low - 1, high + 1) if name in WHOLE else (low / 2 - 0.0001, high + 0.5)
    for value in (*beyond, str(low), True, None):
        with pytest.raises(SettingsError) as refusal:
            Policy.from_mapping({name: value})
        allowed = f"it must be {kind} from {low:g} to {high:g}"
        assert str(refusal.value) == f"policy {name} is {value!r}; {allowed}"


def test_all_of_a_policy_but_its_switch_has_bounds() -> None:
    assert {f.name for f in fields(Policy)} == {name for name, _, _ in BOUNDS} | {"verify"}


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_what_is_counted_is_counted_in_whole_numbers(name: str) -> None:
    with pytest.raises(SettingsError, match="a whole number"):
        Policy.from_mapping({name: 1.5})


def test_a_switch_of_a_policy_is_true_or_false() -> None:
    with pytest.raises(SettingsError) as refusal:
        Policy.from_mapping({"verify": 1})
    assert str(refusal.value) == "policy verify is 1; it must be true or false"


def test_what_a_policy_has_not_is_refused_with_what_it_has() -> None:
    with pytest.raises(SettingsError) as refusal:
        Policy.from_mapping({"bases": 1})
    assert str(refusal.value) == (
        "policy has no 'bases'; it has retries, base_s, factor, cap_s, timeout_s, deadline_s, "
        "breaker_threshold, breaker_cooldown_s, gate_cache_s, resume_interval_s, budget_ratio, "
        "budget_min, verify, pool_connections, pool_keepalive"
    )


def test_no_bound_lets_through_what_is_no_number() -> None:
    with pytest.raises(SettingsError, match="base_s is nan"):
        Policy.from_mapping({"base_s": float("nan")})


@pytest.mark.parametrize("url", ["postgresql://u:p@h/db", "postgres://h/db"])
def test_an_outbox_may_be_in_a_database(url: str, tmp_path) -> None:
    assert load({"DTMS_OUTBOX_URL": url}).outbox_url == url
    file = tmp_path / "dtms_config.json"
    file.write_text(json.dumps({"DTMS_OUTBOX_URL": url, "DTMS_DATABASE_URL": url}))
    assert load({}, file).outbox_url == url
    assert load({"DTMS_OUTBOX_URL": ""}, file).outbox_url is None


def test_the_apis_database_is_none_of_the_clients_business() -> None:
    assert load({"DTMS_DATABASE_URL": "postgresql://h/db"}) == Settings()


@pytest.mark.parametrize("name", ["DTMS_OUTBOX_URL", "DTMS_DATABASE_URL"])
@pytest.mark.parametrize("value", ["mysql://u:geheim@h/db", "geheim", 7])
def test_a_bad_database_is_refused_without_showing_it(name: str, value: object, tmp_path) -> None:
    file = tmp_path / "dtms_config.json"
    file.write_text(json.dumps({name: value}))
    with pytest.raises(SettingsError) as refusal:
        load({}, file)
    assert str(refusal.value) == f"{name} must begin with postgresql://"


def test_no_database_is_no_database(tmp_path) -> None:
    file = tmp_path / "dtms_config.json"
    file.write_text('{"DTMS_OUTBOX_URL": null}')
    assert load({}, file).outbox_url is None


def test_a_database_never_shows_in_a_representation() -> None:
    settings = load({"DTMS_OUTBOX_URL": "postgresql://u:sesame@h/db"})
    assert "sesame" not in repr(settings)
