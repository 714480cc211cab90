"""The embedded pair: started, joined, revived, stopped with its last user."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis

from awfdrs_site.kernel import embedded
from awfdrs_site.kernel.embedded_layout import PROJECT, SOCKET_PATH_BYTES, Layout

from .conftest import USER, User, keeper_of, lives, processes_with, wait_for, wait_until_gone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads processes from /proc"),
]

Join = Callable[..., User]
NOBODY = 65534


def query(url: str, sql: str) -> object:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(sql)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def owner_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def answers(user: User) -> bool:
    try:
        return query(user.database_url, "SELECT 1") == 1 and redis.from_url(user.redis_url).ping()
    except (psycopg.OperationalError, redis.ConnectionError):
        return False


def test_it_starts_both_servers_without_tcp(data_dir: Path, join: Join) -> None:
    """Both answer on sockets alone, in UTC, with fsync on and room for 100 connections."""
    user = join(data_dir)
    settings = ("listen_addresses", "TimeZone", "fsync", "max_connections", "shared_buffers")
    shown = [query(user.database_url, f"SHOW {name}") for name in settings]
    assert shown == ["", "UTC", "on", "100", "32MB"]
    valkey = redis.from_url(user.redis_url)
    told = valkey.config_get("port", "appendonly", "save", "maxmemory-policy")
    assert told == {"port": "0", "appendonly": "no", "save": "", "maxmemory-policy": "noeviction"}


def test_it_joins_a_running_pair_and_leaves_it_running(data_dir: Path, join: Join) -> None:
    """A second process gets the same servers, and its end does not end them for the first."""
    first, second = join(data_dir), join(data_dir)
    assert first.greeting == second.greeting
    before = (keeper_of(data_dir), postmaster(data_dir))
    second.leave()
    assert answers(first)
    third = join(data_dir)
    first.leave()
    assert answers(third), "the one who started the servers may leave first"
    assert (keeper_of(data_dir), postmaster(data_dir)) == before


def test_it_stops_with_its_last_user_and_keeps_the_data(data_dir: Path, join: Join) -> None:
    """Nothing runs after the last user, however it ended; the next start finds every row."""
    user = join(data_dir)
    query(user.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    user.kill()
    wait_until_gone(str(data_dir))
    again = join(data_dir)
    assert query(again.database_url, "SELECT answer FROM kept") == 42
    again.leave()
    wait_until_gone(str(data_dir))


def test_one_pair_is_started_by_many_at_once(data_dir: Path) -> None:
    """Five processes that come together get one keeper and one cluster."""
    command = [sys.executable, "-c", USER.format(options=""), str(data_dir)]
    users = [
        subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(5)
    ]
    try:
        greetings = {user.stdout.readline() for user in users if user.stdout}
        assert len(greetings) == 1
        keepers = [line for line in processes_with(str(data_dir)).values() if "keeper" in line]
        assert len(keepers) == 1
    finally:
        for user in users:
            user.communicate(timeout=60)


@pytest.mark.parametrize("victim", ["postgres", "valkey", "keeper", "all"])
def test_it_survives_kill_9(data_dir: Path, join: Join, victim: str) -> None:
    """Committed rows and the addresses outlive kill -9 of each server, the keeper, and all three.

    The keeper revives its servers; a user revives the keeper by `keep_alive`.
    """
    user = join(data_dir)
    query(user.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    valkey = int((data_dir / "run" / "valkey.pid").read_text())
    keeper = keeper_of(data_dir)
    assert keeper
    pids = {"postgres": [postmaster(data_dir)], "valkey": [valkey], "keeper": [keeper]}
    pids["all"] = [pid for group in pids.values() for pid in group]
    for pid in pids[victim]:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(lives(pid) for pid in pids[victim]))
    embedded.keep_alive(data_dir)
    try:
        wait_for(lambda: answers(user))
        assert query(user.database_url, "SELECT answer FROM kept") == 42
    finally:
        embedded.release(data_dir, wait_seconds=0)


def test_stale_files_do_not_stop_a_start(data_dir: Path, join: Join) -> None:
    """Pid files that name an unrelated living process, old sockets, half a cluster: all cleared."""
    user = join(data_dir)
    state = (data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
    user.leave()
    wait_until_gone(str(data_dir))
    state[0] = str(os.getpid())
    (data_dir / "postgres" / "postmaster.pid").write_text("\n".join(state) + "\n")
    (data_dir / "run" / "valkey.pid").write_text(str(os.getpid()))
    (data_dir / "run" / "valkey.sock").touch()
    (data_dir / "run" / ".s.PGSQL.5432.lock").write_text("\n".join(state) + "\n")
    (data_dir / "postgres.new").mkdir()
    (data_dir / "postgres.new" / "PG_VERSION").write_text("18\n")
    assert answers(join(data_dir))


def test_two_pairs_stand_side_by_side(data_dir: Path, join: Join) -> None:
    """Two folders are two clusters and two Valkeys that know nothing of each other."""
    one, other = join(data_dir / "one"), join(data_dir / "other")
    query(one.database_url, "CREATE TABLE only_here ()")
    redis.from_url(one.redis_url).set("only", "here")
    assert query(other.database_url, "SELECT to_regclass('only_here')::text") is None
    assert redis.from_url(other.redis_url).get("only") is None
    one.leave()
    assert answers(other)
    other.leave()
    wait_until_gone(str(data_dir))


@pytest.mark.parametrize("name", ["x" * 120, "with space, comma and 'quote'"])
def test_a_path_that_no_socket_can_have(data_dir: Path, join: Join, name: str) -> None:
    """The sockets move to a short private folder; the data stays where it was asked for."""
    folder = data_dir / name
    user = join(folder)
    sockets = Layout(folder).sockets
    try:
        assert answers(user)
        assert not sockets.is_relative_to(folder)
        assert len(os.fsencode(sockets / ".s.PGSQL.5432")) <= SOCKET_PATH_BYTES
        assert sockets.stat().st_mode & 0o777 == 0o700
        assert (folder / "postgres" / "PG_VERSION").exists()
        user.leave()
        wait_for(lambda: not keeper_of(folder))
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


def test_a_throw_away_pair_leaves_nothing(data_dir: Path, join: Join) -> None:
    """`durable=False`: no fsync, and the folder goes with the last user, even one killed."""
    folder = data_dir / "thrown-away"
    user = join(folder, options="durable=False")
    assert query(user.database_url, "SHOW fsync") == "off"
    user.kill()
    wait_until_gone(str(folder))
    assert not folder.exists()


def test_a_deleted_folder_ends_its_servers(data_dir: Path, join: Join) -> None:
    """`rm -rf` of the folder under a running pair ends it, and a fresh one can start there."""
    folder = data_dir / "deleted"
    join(folder)
    old = keeper_of(folder)
    assert old
    shutil.rmtree(folder, ignore_errors=True)
    wait_for(lambda: not lives(old))
    shutil.rmtree(folder, ignore_errors=True)
    assert answers(join(folder))


def test_data_of_another_postgresql_is_refused_in_one_line(data_dir: Path, join: Join) -> None:
    """A cluster of another major version is named, with what to do, and left untouched."""
    user = join(data_dir)
    user.leave()
    wait_for(lambda: not keeper_of(data_dir))
    (data_dir / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(embedded.EmbeddedError, match="was written by PostgreSQL 9, this is"):
        embedded.ensure(data_dir)
    embedded.release(data_dir)


def test_a_folder_that_cannot_be_made_is_refused_in_one_line() -> None:
    with pytest.raises(embedded.EmbeddedError, match="set AWFDRS_DATA_DIR"):
        embedded.ensure(Path("/proc/awfdrs"))


def interpreter_for(uid: int) -> str | None:
    """A Python that the account may run: this one, else the system's of the same version."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    show = "import sys; print('%d.%d' % sys.version_info[:2])"
    for program in (sys.executable, "/usr/bin/python3"):
        try:
            told = subprocess.run(
                [program, "-c", show],
                user=uid,
                group=uid,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            continue
        if told.stdout.strip() == version:
            return program
    return None


def test_root_hands_the_servers_to_an_ordinary_account(data_dir: Path, join: Join) -> None:
    """PostgreSQL refuses root: started by root, both servers run as `nobody`."""
    if os.getuid() != 0:
        pytest.skip("needs root")
    user = join(data_dir)
    valkey = int((data_dir / "run" / "valkey.pid").read_text())
    assert answers(user)
    assert [owner_of(postmaster(data_dir)), owner_of(valkey)] == [NOBODY, NOBODY]


def test_it_runs_for_an_ordinary_user(data_dir: Path, join: Join) -> None:
    """An ordinary user's servers run as that user; root joins them by the same folder."""
    if os.getuid() != 0:
        assert answers(join(data_dir))
        assert owner_of(postmaster(data_dir)) == os.getuid()
        return
    python = interpreter_for(NOBODY)
    if python is None:
        pytest.skip("no Python here that an ordinary user may run")
    home = data_dir / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    data_dir.chmod(0o755)
    path = os.pathsep.join(sys.path)
    as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    user = join(home, python=python, env=os.environ | {"PYTHONPATH": path}, **as_nobody)
    assert [owner_of(pid) for pid in processes_with(str(home))] != []
    assert {owner_of(pid) for pid in processes_with(str(home))} == {NOBODY}
    joined = join(home)
    assert joined.greeting == user.greeting
    user.leave()
    assert answers(joined)


@pytest.mark.skipif(os.getuid() != 0, reason="only root has folders that others may not enter")
def test_root_may_keep_the_project_where_only_root_may_enter(data_dir: Path, join: Join) -> None:
    """Below a 0700 folder the servers get the one capability they need, and no folder is opened."""
    closed = data_dir / "closed"
    closed.mkdir(mode=0o700)
    assert answers(join(closed / "data"))
    assert closed.stat().st_mode & 0o777 == 0o700
    status = Path(f"/proc/{postmaster(closed / 'data')}/status").read_text()
    assert "CapEff:\t0000000000000002" in status


@pytest.mark.parametrize("given", [(), ("DATABASE_URL",), ("REDIS_URL",)])
def test_the_environment_is_completed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...]
) -> None:
    """Only what is unset is set, to the pair's own; the secret key stays the same for ever."""
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "AWFDRS_SEAL_KEYS"):
        monkeypatch.delenv(name, raising=False)
    for name in given:
        monkeypatch.setenv(name, "given")
    monkeypatch.setenv("AWFDRS_DATA_DIR", str(data_dir))
    embedded.connect_environment(start=False)
    expected = embedded.addresses(data_dir)
    assert os.environ["DATABASE_URL"] == (
        "given" if "DATABASE_URL" in given else expected.database_url
    )
    assert os.environ["REDIS_URL"] == ("given" if "REDIS_URL" in given else expected.redis_url)
    secret = os.environ["SECRET_KEY"]
    assert len(secret) >= 50
    assert (data_dir / "secret_key").stat().st_mode & 0o777 == 0o600
    seal_keys = os.environ["AWFDRS_SEAL_KEYS"]
    assert len(b64decode(seal_keys)) == 32
    assert (data_dir / "seal_keys").stat().st_mode & 0o777 == 0o600
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.delenv("AWFDRS_SEAL_KEYS")
    embedded.provide_secrets(data_dir)
    assert os.environ["SECRET_KEY"] == secret
    assert os.environ["AWFDRS_SEAL_KEYS"] == seal_keys
    assert not processes_with(str(data_dir))


def test_given_servers_need_no_folder(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With both addresses given nothing is made, started or changed."""
    monkeypatch.setenv("DATABASE_URL", "given")
    monkeypatch.setenv("REDIS_URL", "given")
    monkeypatch.setenv("AWFDRS_DATA_DIR", str(data_dir / "never"))
    embedded.connect_environment()
    assert os.environ["DATABASE_URL"] == os.environ["REDIS_URL"] == "given"
    assert not (data_dir / "never").exists()
