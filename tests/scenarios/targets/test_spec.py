import pytest

from scenarios.targets.spec import (
    CommandClient,
    CommandServer,
    FactoryServer,
    FunctionClient,
    RunningServer,
    TargetRefused,
    client_target,
    server_target,
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "target.py"
    path.write_text(
        "from json import loads\nimport os as system\nalias = print\n"
        "def one(data_dir): ...\ndef two(data_dir, broker_url): ...\nasync def later(t, d): ...\n"
    )
    return path


def test_the_reference_is_durable_and_others_are_helpers(file) -> None:
    assert client_target("reference").level == "durable"
    made = client_target(f"{file}:later")
    assert isinstance(made, FunctionClient)
    assert made.level == "helper"
    assert isinstance(client_target("json:loads"), FunctionClient)


def test_commands_are_split_as_a_shell_does() -> None:
    client = client_target("cmd:./client --name 'a b'")
    assert isinstance(client, CommandClient)
    assert client.argv == ("./client", "--name", "a b")
    server = server_target("cmd:serve --port={port} {data_dir} {broker_url}")
    assert isinstance(server, CommandServer)
    assert server.takes_broker
    assert not server.takes_registry
    assert not server_target("cmd:serve {port}").takes_broker
    assert server_target("cmd:serve {port} {registry_url}").takes_registry


def test_a_factory_takes_the_broker_if_it_has_a_second_parameter(file) -> None:
    one, two = server_target(f"{file}:one"), server_target(f"{file}:two")
    assert isinstance(one, FactoryServer)
    assert not one.takes_broker
    assert two.takes_broker


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    import fast\nexcept ImportError:\n    def f(t, d): ...\n",
        "if True:\n    from other import f\n",
        "from other import *\n",
        "f: object = print\n",
        "class f: ...\n",
    ],
)
def test_a_name_may_be_bound_in_any_way(tmp_path, text) -> None:
    (tmp_path / "target.py").write_text(text)
    assert client_target(f"{tmp_path}/target.py:f").level == "helper"


def test_a_target_is_named_by_its_place(tmp_path, monkeypatch) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").write_text("raise RuntimeError('is not run for this')\n")
    (tmp_path / "core" / "mine.py").write_text("def f(ticket, trade): ...\n")
    monkeypatch.chdir(tmp_path)
    for name in ("core/mine.py:f", f"{tmp_path}/core/mine.py:f"):
        assert client_target(name).name == f"{tmp_path}/core/mine.py:f"
    for name in ("core.mine:f", f"{tmp_path}:core.mine:f"):
        assert client_target(name).name == f"{tmp_path}:core.mine:f"
    monkeypatch.chdir("/")
    assert client_target(f"{tmp_path}:core.mine:f").name == f"{tmp_path}:core.mine:f"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert client_target("core.mine:f").name == f"{tmp_path}:core.mine:f"
    assert client_target("json:loads").name == "json:loads"


@pytest.mark.parametrize("name", ["alias", "loads", "system"])
def test_names_that_are_bound_otherwise_are_found_too(file, name) -> None:
    assert client_target(f"{file}:{name}").level == "helper"


def test_a_running_server_can_be_neither_killed_nor_scripted() -> None:
    server = server_target("http://localhost:8001")
    assert server == RunningServer("http://localhost:8001", "127.0.0.1", 8001)
    assert not server.restartable
    assert server_target("http://127.0.0.1").port == 80


@pytest.mark.parametrize("content", ["def f(:", "x = 1"])
def test_a_file_that_cannot_be_used_is_refused(tmp_path, content) -> None:
    path = tmp_path / "target.py"
    path.write_text(content)
    with pytest.raises(TargetRefused):
        client_target(f"{path}:f")
