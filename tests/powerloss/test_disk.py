"""The disk itself: what each kind of crash leaves."""

import errno

import pytest

from simulator.forgetful_disk import Act, ForgetfulDisk, Loss


def nothing_lost(_about: str) -> float:
    return 0.0


def all_lost(_about: str) -> float:
    return 0.999


@pytest.fixture
def disk() -> ForgetfulDisk:
    return ForgetfulDisk({"old": b"." * 1024})


@pytest.fixture
def old(disk) -> int:
    return disk.find("old")


def test_what_is_written_is_read_before_it_is_synced(disk, old) -> None:
    disk.write(old, 2, b"ab")
    assert disk.read(old, 0, 5) == b"..ab."
    assert disk.read(old, 1020, 99) == b"...."


def test_a_kill_keeps_what_was_written(disk, old) -> None:
    disk.write(old, 0, b"ab")
    disk.truncate(old, 3)
    assert disk.after_kill().files == {"old": b"ab."}


def test_a_power_loss_forgets_what_was_not_synced(disk, old) -> None:
    disk.write(old, 0, b"ab")
    disk.sync(old)
    disk.write(old, 0, b"cd")
    assert disk.after_power_loss(all_lost).files["old"][:3] == b"ab."
    assert disk.after_power_loss(nothing_lost).files["old"][:3] == b"cd."


def test_a_crash_may_be_put_at_any_operation_of_the_past(disk, old) -> None:
    for n in range(4):
        disk.write(old, n, b"x")
    left = [disk.after_kill(at=n).files["old"][:4] for n in range(5)]
    assert left == [b"....", b"x...", b"xx..", b"xxx.", b"xxxx"]


def test_in_order_the_last_writes_are_lost(disk, old) -> None:
    for n in range(4):
        disk.write(old, n, b"x")
    left = [disk.after_power_loss(lambda _about, u=u: u).files["old"][:4] for u in (0.3, 0.5, 0.7)]
    assert left == [b"xxx.", b"xx..", b"x..."]


def test_out_of_order_any_granule_is_lost(disk, old) -> None:
    disk.write(old, 0, b"x" * 1024)
    left = disk.after_power_loss(
        lambda about: 0.9 if about.endswith("/0") else 0.1, Loss(granule_bytes=512)
    )
    assert left.files["old"] == b"." * 512 + b"x" * 512


def test_a_write_is_torn_where_a_sector_of_the_file_ends(disk, old) -> None:
    disk.write(old, 500, b"x" * 100)
    left = disk.after_power_loss(
        lambda about: 0.5 if about.endswith("torn") else 0.999, Loss(torn=True)
    )
    assert left.files["old"] == b"." * 500 + b"x" * 12 + b"." * 512


def test_a_hole_is_zeros(disk) -> None:
    new = disk.create("new")
    disk.sync_folder()
    disk.write(new, 0, b"a" * 512)
    disk.write(new, 512, b"b" * 512)
    left = disk.after_power_loss(
        lambda about: 0.9 if about == "4/2/0" else 0.1, Loss(granule_bytes=512)
    )
    assert left.files["new"] == bytes(512) + b"b" * 512


def test_names_last_when_their_folder_is_synced(disk) -> None:
    new = disk.create("new")
    disk.write(new, 0, b"n")
    disk.sync(new)
    disk.delete("old")
    assert set(disk.after_power_loss(all_lost).files) == {"old"}
    assert disk.after_power_loss(nothing_lost).files == {"new": b"n"}
    disk.sync_folder()
    assert disk.after_power_loss(all_lost).files == {"new": b"n"}


def test_who_has_a_deleted_file_open_keeps_it(disk, old) -> None:
    disk.delete("old")
    assert disk.find("old") is None
    assert disk.read(old, 0, 1) == b"."


def test_a_failed_sync_is_not_made_good_by_the_next(disk, old) -> None:
    disk.trouble = lambda act, nth: errno.EIO if (act, nth) == (Act.SYNC, 1) else 0
    disk.write(old, 0, b"a")
    with pytest.raises(OSError, match="Input/output"):
        disk.sync(old)
    disk.write(old, 1, b"b")
    disk.sync(old)
    assert disk.after_power_loss(all_lost).files["old"][:3] == b".b."
    assert disk.after_kill().files["old"][:3] == b"ab."


def test_a_failed_write_leaves_half(disk, old) -> None:
    disk.trouble = lambda act, _nth: errno.EIO if act is Act.WRITE else 0
    with pytest.raises(OSError, match="Input/output"):
        disk.write(old, 0, b"x" * 1024)
    assert disk.read(old, 0, 1024) == b"x" * 512 + b"." * 512


def test_a_full_disk_grows_no_file_and_overwrites(disk, old) -> None:
    disk.room_bytes = 1024
    disk.write(old, 0, b"x")
    with pytest.raises(OSError, match="No space"):
        disk.write(old, 1020, b"x" * 5)
    disk.room_bytes = None
    disk.write(old, 1020, b"x" * 5)


def test_tries_are_counted_by_what_was_tried(disk, old) -> None:
    disk.write(old, 0, b"x")
    disk.write(old, 0, b"x")
    disk.sync(old)
    assert disk.tried == {Act.WRITE: 2, Act.SYNC: 1}


def test_without_power_nothing_happens_any_more(disk, old) -> None:
    disk.power_until = 1
    disk.write(old, 0, b"x")
    with pytest.raises(OSError, match="Input/output"):
        disk.write(old, 0, b"y" * 1024)
    with pytest.raises(OSError, match="Input/output"):
        disk.sync(old)
    with pytest.raises(OSError, match="Input/output"):
        disk.read(old, 0, 1)
    assert len(disk.history) == 1
