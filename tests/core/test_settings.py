import json

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
    assert policy.verify


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
    assert "gehe" not in str(refusal.value)


def test_a_key_never_shows_in_a_representation() -> None:
    settings = load({"DTMS_API_KEY": "sesame"})
    assert settings.api_key == "sesame"
    assert "sesame" not in repr(settings)
    assert load({"DTMS_API_KEY": ""}).api_key is None


@pytest.mark.parametrize("word", ["true", "1", "YES", "on"])
def test_switches_are_read_in_many_words(word: str) -> None:
    assert load({"DTMS_ENABLE_METRICS": word}).enable_metrics
    assert not load({"DTMS_ENABLE_METRICS": "off"}).enable_metrics


def test_ip_addresses_and_names_are_hosts() -> None:
    assert load({"DTMS_API_HOST": "::1"}).api_url == "http://[::1]:8001"
    assert load({"DTMS_API_HOST": "dtms.internal"}).host == "dtms.internal"


@pytest.mark.parametrize("content", ["{", "[]", '{"DTMS_API_PROT": 1}', '{"DTMS_API_PORT": true}'])
def test_a_bad_file_is_refused(tmp_path, content: str) -> None:
    file = tmp_path / "dtms_config.json"
    file.write_text(content)
    with pytest.raises(SettingsError):
        load({}, file)


def test_a_policy_is_read_from_a_mapping() -> None:
    policy = Policy.from_mapping({"base_s": 0.1, "retries": 2, "verify": False})
    assert (policy.base_s, policy.retries, policy.verify) == (0.1, 2, False)


@pytest.mark.parametrize(
    "values",
    [{"bases": 1}, {"retries": 1.5}, {"retries": -1}, {"verify": 1}, {"base_s": True},
     {"base_s": float("nan")}, {"cap_s": "1"}],
)  # fmt: skip
def test_a_bad_policy_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(values))):
        Policy.from_mapping(values)
