"""What a simulated disk keeps, loses and refuses."""

import asyncio
import errno

import pytest

from simulator.deterministic import disk as disks
from simulator.deterministic.disk import TORN, Corrupt


async def written(file, *records, synced: int = 0):
    """The file with the records, the first `synced` of them durable."""
    for record in records[:synced]:
        file.append(record)
    await file.sync()
    for record in records[synced:]:
        file.append(record)
    return file


def test_a_file_is_the_same_object_every_time(disk) -> None:
    assert disk.file("a") is disk.file("a")
    assert disk.file("a") is not disk.file("b")
    assert disk.names == ("a", "b")


async def test_each_step_is_told(disk, fate) -> None:
    file = disk.file("a")
    file.append(1)
    await file.sync()
    assert fate.points == ["write", "written", "sync", "synced"]


async def test_a_sync_takes_its_time_and_more_on_a_slow_disk(fate) -> None:
    disk, loop = fate.disk(sync_s=0.01), asyncio.get_running_loop()
    began = loop.time()
    await disk.file("a").sync()
    assert loop.time() - began >= 0.009
    disk.slow_s = 0.02
    began = loop.time()
    await disk.file("a").sync()
    assert loop.time() - began >= 0.029


async def test_what_was_synced_outlives_any_loss_of_power(disk, fate) -> None:
    fate.draws = {"power": 0.999}
    file = await written(disk.file("a"), 1, 2, 3, synced=2)
    disk.lose_power()
    assert disk.file("a") is file
    assert file.read() == (1, 2)


@pytest.mark.parametrize(
    ("draw", "kept"), [(0.0, (1, 2, 3)), (0.3, (1, 2)), (0.6, (1,)), (0.999, ())]
)
async def test_of_what_was_not_synced_a_prefix_is_kept(disk, fate, draw, kept) -> None:
    fate.draws = {"power": draw}
    await written(disk.file("a"), 1, 2, 3)
    disk.lose_power()
    assert disk.file("a").read() == kept


async def test_what_outlived_one_loss_of_power_outlives_the_next(disk, fate) -> None:
    await written(disk.file("a"), 1, 2)
    disk.lose_power()
    fate.draws = {"power": 0.999}
    disk.lose_power()
    assert disk.file("a").read() == (1, 2)


async def test_draws_are_keyed_by_disk_file_and_loss_and_made_only_where_they_count(
    disk, fate
) -> None:
    await written(disk.file("quiet"), 1, synced=1)
    await written(disk.file("busy"), 1)
    disk.lose_power()
    fate.draws = {"power": 0.999}
    disk.file("busy").append(2)
    disk.lose_power()
    assert fate.keys == ["power disk busy 0", "power disk busy 1", "torn disk busy 1"]


async def test_a_torn_record_ends_the_file_and_is_dropped_when_it_is_read(disk, fate) -> None:
    fate.draws = {"power": 0.999, "torn": 0.999}
    file = await written(disk.file("a"), 1, 2, synced=1)
    disk.lose_power()
    assert file.records == [1, TORN]
    assert repr(TORN) == "TORN"
    assert file.read() == (1,)
    file.append(3)
    assert file.read() == (1, 3)


async def test_what_is_written_in_place_of_a_torn_record_must_be_synced_too(disk, fate) -> None:
    fate.draws = {"power": 0.999, "torn": 0.999}
    file = await written(disk.file("a"), 1)
    disk.lose_power()
    assert file.read() == ()
    file.append(2)
    fate.draws = {"power": 0.999}
    disk.lose_power()
    assert file.read() == ()


async def test_what_is_written_after_a_torn_record_without_reading_is_lost(disk, fate) -> None:
    fate.draws = {"power": 0.999, "torn": 0.999}
    file = await written(disk.file("a"), 1)
    disk.lose_power()
    file.append(2)
    await file.sync()
    assert file.read() == ()


async def test_a_sync_covers_only_what_was_written_before_it_began(disk, fate) -> None:
    file = disk.file("a")
    file.append(1)
    syncing = asyncio.create_task(file.sync())
    await asyncio.sleep(0)
    file.append(2)
    await syncing
    assert file.synced == 1
    fate.draws = {"power": 0.999}
    disk.lose_power()
    assert file.read() == (1,)


async def test_a_sync_that_the_power_failed_in_makes_nothing_durable(disk, fate) -> None:
    fate.draws = {"power": 0.999}
    file = disk.file("a")
    file.append(1)
    syncing = asyncio.create_task(file.sync())
    await asyncio.sleep(0)
    disk.lose_power()
    file.append(2)
    with pytest.raises(OSError, match="Input/output"):
        await syncing
    assert file.synced == 0


@pytest.mark.parametrize(
    ("fault", "number"),
    [("full", errno.ENOSPC), ("fails", errno.EIO), ("read_only", errno.EROFS)],
)
def test_a_disk_that_takes_no_writes_says_why_and_writes_nothing(disk, fault, number) -> None:
    setattr(disk, fault, True)
    with pytest.raises(OSError) as refused:  # noqa: PT011 - its number is looked at
        disk.file("a").append(1)
    assert refused.value.errno == number
    assert disk.file("a").records == []
    setattr(disk, fault, False)
    disk.file("a").append(1)


async def test_a_sync_that_fails_makes_nothing_durable(disk) -> None:
    file = disk.file("a")
    file.append(1)
    disk.fails = True
    with pytest.raises(OSError, match="Input/output"):
        await file.sync()
    assert file.synced == 0
    disk.fails = False
    await file.sync()
    assert file.synced == 1


async def test_only_what_is_not_synced_can_be_cut(disk) -> None:
    file = await written(disk.file("a"), 1, 2, 3, synced=1)
    file.cut(2)
    assert file.records == [1, 2]
    file.cut(0)
    assert file.records == [1]


def test_a_corrupt_file_is_readable_nowhere_until_it_is_moved_away(disk) -> None:
    file = disk.file("a")
    file.append(1)
    disk.file("b")
    disk.corrupt("a")
    with pytest.raises(Corrupt, match="a on disk"):
        file.read()
    assert disk.file("b").read() == ()
    disk.move("a", "aside")
    assert disk.file("a").read() == ()
    assert disk.file("aside") is file
    assert file.name == "aside"
    with pytest.raises(Corrupt):
        file.read()


def test_without_a_name_every_file_is_corrupt(disk) -> None:
    for name in ("a", "b"):
        disk.file(name)
    disk.corrupt()
    for name in ("a", "b"):
        with pytest.raises(Corrupt):
            disk.file(name).read()
    assert disk.file("c").read() == ()


def test_a_move_neither_makes_files_up_nor_overwrites_them(disk) -> None:
    with pytest.raises(FileNotFoundError):
        disk.move("a", "b")
    disk.file("a").append(1)
    disk.file("b")
    with pytest.raises(FileExistsError):
        disk.move("a", "b")
    assert disk.file("a").read() == (1,)


def test_a_wiped_disk_is_empty_and_who_still_writes_is_not_read(disk) -> None:
    file = disk.file("a")
    file.append(1)
    disk.wipe()
    file.append(2)
    assert disk.names == ()
    assert disk.file("a").read() == ()


def test_records_and_files_are_bounded(disk, monkeypatch) -> None:
    monkeypatch.setattr(disks, "RECORDS_MAX", 1)
    monkeypatch.setattr(disks, "FILES_MAX", 2)
    disk.file("a").append(1)
    with pytest.raises(OSError, match="too large"):
        disk.file("a").append(2)
    disk.file("b")
    with pytest.raises(OSError, match="No space"):
        disk.file("c")


@pytest.mark.parametrize(("point", "records"), [("write", []), ("written", [1])])
async def test_who_dies_around_a_write_has_written_or_not_and_nothing_later(
    disk, fate, point, records
) -> None:
    file = disk.file("a")
    fate.dies_at = point
    file.append(1)
    file.append(2)
    file.cut(0)
    assert file.records == records
    assert fate.points[-1] == point


@pytest.mark.parametrize(("point", "synced"), [("sync", 0), ("synced", 1)])
async def test_who_dies_around_a_sync_has_synced_or_not(disk, fate, point, synced) -> None:
    file = disk.file("a")
    file.append(1)
    fate.dies_at = point
    syncing = asyncio.create_task(file.sync())
    for _ in range(5):
        await asyncio.sleep(0)
    assert file.synced == synced
    # A dead process never learns that a sync ended.
    assert syncing.done() is (point == "synced")
    syncing.cancel()
    await asyncio.gather(syncing, return_exceptions=True)
    assert fate.points[-1] == point


async def test_what_a_dead_process_wrote_is_there_for_the_next(disk, fate) -> None:
    await written(disk.file("a"), 1)
    fate.is_alive = False
    fate.is_alive = True
    assert disk.file("a").read() == (1,)
