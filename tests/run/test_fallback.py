"""Two passes of a task, one after the other, as one."""

from __future__ import annotations

from dataclasses import fields, replace

from concompare.records import Message, Pass
from concompare.run.fallback import joined

EVERYTHING = Message(1, 2, 3, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14, 15, (16.0, 17.0))
MOMENTS = ("sent", "received", "start", "end", "returned", "done")


def test_messages_of_the_second_pass_are_later_by_the_first_and_else_as_they_were() -> None:
    first = Pass(5, 100.0, 1.0, messages=(replace(EVERYTHING, first=0),))
    found = joined(first, Pass(2, 50.0, 2.0, failures=1, messages=(EVERYTHING,)))
    assert (found.items, found.wall, found.cpu, found.failures) == (7, 150.0, 3.0, 1)
    before, after = found.messages
    assert before is first.messages[0]
    for field in fields(Message):
        later = 100.0 if field.name in MOMENTS else 0
        was = getattr(EVERYTHING, field.name)
        assert getattr(after, field.name) == (was + later if later else was)
