"""The API as a process: start-up order, exit statuses, kill -9, graceful shutdown."""

import asyncio
import json
import socket

import httpx
import pytest

LAB = {"X-Lab-Token": "sesame"}


def enable(process, good, **changed) -> httpx.Response:
    return httpx.post(f"{process.url}/dtms/trade/enable", json=good | changed, trust_env=False)


def get(process, path) -> httpx.Response:
    return httpx.get(f"{process.url}{path}", trust_env=False)


def test_the_port_is_open_before_it_is_ready(simulate, good) -> None:
    slow = json.dumps([{"fault": "init-slow", "delay_s": 1.0}])
    process = simulate("--no-rate-limit", "--lab-faults", slow)
    assert get(process, "/dtms/health").status_code == 503
    assert enable(process, good).status_code == 503
    process.until("ready")
    assert enable(process, good).status_code == 200


def test_what_was_acknowledged_outlives_kill_9(simulate, good) -> None:
    first = simulate()
    first.until("ready")
    assert enable(first, good).status_code == 200
    first.kill()
    second = simulate()
    second.until("ready")
    assert get(second, "/dtms/trade/1001").json()["state"] == "HEALTHY"
    assert enable(second, good).json()["already_registered"] is True


def test_it_ends_with_status_0_when_asked_to(simulate) -> None:
    process = simulate()
    process.until("ready")
    assert process.stop() == 0


async def test_a_graceful_stop_finishes_what_it_acknowledges(simulate, good) -> None:
    process = simulate("--no-rate-limit")
    process.until("ready")
    async with httpx.AsyncClient(base_url=process.url, trust_env=False) as client:
        slow = {"fault": "store-slow", "delay_s": 0.4}
        await client.post("/_lab/faults", json=slow, headers=LAB)
        asked = [
            asyncio.create_task(client.post("/dtms/trade/enable", json=good | {"ticket": n}))
            for n in range(1, 6)
        ]
        await asyncio.sleep(0.2)
        status = await asyncio.to_thread(process.stop)
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert status == 0
    acknowledged = [
        n
        for n, answer in enumerate(answers, start=1)
        if isinstance(answer, httpx.Response) and answer.status_code == 200
    ]
    assert acknowledged
    again = simulate("--no-rate-limit")
    again.until("ready")
    for ticket in acknowledged:
        assert get(again, f"/dtms/trade/{ticket}").status_code == 200


def test_a_second_instance_exits_before_it_touches_the_store(start, simulate, tmp_path) -> None:
    first = simulate()
    first.until("ready")
    folder = tmp_path / "untouched"
    second = start("simulator", "--port", str(first.port), "--data-dir", str(folder), listens=False)
    second.until("port_busy")
    assert second.popen.wait(10) == 3
    assert not folder.exists()
    assert get(first, "/dtms/health").status_code == 200


def test_initialisation_that_fails_for_good_ends_the_process(start, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    process = start("simulator", "--port", "0", "--data-dir", str(tmp_path / "file" / "x"))
    assert process.popen.wait(20) == 1


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        (["--port", "99999"], {}, "whole number"),
        (["--monitoring-interval", "0"], {}, "seconds"),
        (["--monitoring-interval", "x"], {}, "seconds"),
        ([], {"DTMS_RATE_LIMIT_ENABLED": "maybe"}, "true or false"),
        (["--broker-url", "ftp://x"], {}, "http://"),
        (["--host", "0.0.0.0"], {}, "loopback only"),
        (["--host", "example.org"], {}, "loopback only"),
        (["--lab-faults", "[]", "--lab-token", ""], {"DTMS_LAB_TOKEN": ""}, "needs a token"),
        (["--lab-faults", "{"], {}, "not JSON"),
        (["--lab-faults", "{}"], {}, "list of objects"),
        (["--port", "0", "--lab-faults", '[{"fault": "x"}]'], {}, "there is no fault"),
    ],
)
def test_a_bad_setting_stops_the_start_in_words(start, arguments, environ, words) -> None:
    process = start("simulator", *arguments, listens=False, **environ)
    _out, errors = process.popen.communicate(timeout=20)
    assert process.popen.returncode == 2
    assert words in errors.decode()


def test_in_a_container_the_control_plane_may_listen_for_all(start, tmp_path) -> None:
    flags = ("--host", "0.0.0.0", "--published-on-loopback")
    process = start("simulator", "--port", "0", "--data-dir", str(tmp_path), *flags)
    state = httpx.get(f"{process.url}/_lab/state", headers=LAB, trust_env=False)
    assert (state.status_code, get(process, "/_lab/state").status_code) == (200, 401)


@pytest.mark.parametrize("module", ["simulator.broker", "simulator.main_api"])
def test_a_side_process_keeps_its_control_plane_to_loopback(start, module) -> None:
    flags = ("--host", "0.0.0.0", "--dtms-url", "http://127.0.0.1:1")
    process = start(module, "--port", "0", *flags, listens=False)
    _out, errors = process.popen.communicate(timeout=20)
    assert process.popen.returncode == 2
    assert "the control plane is for loopback only, and the host is 0.0.0.0" in errors.decode()


@pytest.mark.parametrize("content", ["{", "[]", '{"DTMS_NO_SUCH": 1}'])
def test_a_bad_settings_file_stops_the_start(start, tmp_path, content) -> None:
    (tmp_path / "dtms_config.json").write_text(content)
    process = start("simulator", "--port", "0", listens=False)
    _out, errors = process.popen.communicate(timeout=20)
    assert process.popen.returncode == 2
    assert "dtms_config.json" in errors.decode()


def test_a_settings_file_is_read_and_the_environment_is_above_it(start, tmp_path, good) -> None:
    settings = {"DTMS_API_KEY": "k3y", "DTMS_RATE_LIMIT_ENABLED": False, "DTMS_RETRY_COUNT": 9}
    (tmp_path / "dtms_config.json").write_text(json.dumps(settings))
    process = start("simulator", "--port", "0", DTMS_API_KEY="other")
    process.until("ready")
    headers = {"X-API-Key": "other"}
    url = f"{process.url}/dtms/trade/enable"
    assert httpx.post(url, json=good, trust_env=False).status_code == 401
    assert httpx.post(url, json=good, headers=headers, trust_env=False).status_code == 200


def test_metrics_can_be_turned_off_and_the_lab_is_closed_without_a_token(start) -> None:
    process = start("simulator", "--port", "0", DTMS_ENABLE_METRICS="0", DTMS_LAB_TOKEN="")
    process.until("ready")
    assert get(process, "/dtms/metrics").status_code == 404
    assert get(process, "/_lab/state").status_code == 404


@pytest.mark.parametrize(("point", "kept"), [("before-commit", False), ("after-commit", True)])
def test_a_crash_around_the_commit(simulate, good, point, kept) -> None:
    process = simulate()
    process.until("ready")
    fault = {"fault": "crash", "point": point, "after": 1}
    httpx.post(f"{process.url}/_lab/faults", json=fault, headers=LAB, trust_env=False)
    with pytest.raises(httpx.TransportError):
        enable(process, good)
    assert process.popen.wait(10) == -9
    again = simulate()
    again.until("ready")
    assert get(again, "/dtms/trade/1001").status_code == (200 if kept else 404)
    assert enable(again, good).json()["already_registered"] is kept


def test_a_crash_during_recovery_is_recovered_from(simulate, good) -> None:
    first = simulate()
    first.until("ready")
    enable(first, good)
    first.kill()
    crash = json.dumps([{"fault": "crash", "point": "during-recovery"}])
    second = simulate("--lab-faults", crash)
    assert second.popen.wait(20) == -9
    third = simulate()
    third.until("ready")
    assert get(third, "/dtms/trade/1001").status_code == 200


def test_broker_and_registry_are_asked_at_start(start, simulate, good) -> None:
    broker = start("simulator.broker", "--port", "0")
    main_api = start("simulator.main_api", "--port", "0")
    position = {"symbol": "X", "direction": "BUY", "entry_price": 2.0, "volume": 1.0}
    for ticket in (1, 2):
        url = f"{broker.url}/_lab/positions/{ticket}"
        httpx.put(url, json=position, headers=LAB, trust_env=False)
    taken = {"ticket": 2, "strategy_type": "trap"}
    httpx.post(f"{main_api.url}/universal/trades", json=taken, trust_env=False)
    urls = ("--broker-url", broker.url, "--registry-url", main_api.url + "/")
    dtms = simulate(*urls, "--monitoring-interval", "0.1")
    dtms.until("ready")
    assert get(dtms, "/dtms/trade/1").status_code == 200
    assert get(dtms, "/dtms/trade/2").status_code == 404


def test_side_processes_refuse_a_busy_port(start) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        busy = start("simulator.broker", "--port", str(held.getsockname()[1]), listens=False)
        assert busy.popen.wait(20) == 3
