"""An interrupt while nothing of the user's runs is one line, which IPython shows at once."""

from __future__ import annotations

import pytest

from concompare.errors import Interrupted, in_one_line
from tests.magics.conftest import Shell


@pytest.mark.parametrize("magic", ["%%parallel", "%%concompare"])
def test_an_interrupt_of_our_own_code_is_shown_in_one_line(
    magic: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("concompare.cells.lift", press)
    error = shell.fails(f"{magic}\nr = [abs(x) for x in range(3)]").error
    assert isinstance(error, Interrupted)
    assert error._render_traceback_() == ["KeyboardInterrupt: interrupted"]


def test_an_interrupt_of_the_users_code_keeps_its_traceback() -> None:
    namespace = {"__name__": "__main__"}
    exec("def stop(): raise KeyboardInterrupt('mine')", namespace)
    with pytest.raises(KeyboardInterrupt, match="mine") as caught:
        in_one_line(namespace["stop"])()  # type: ignore[arg-type]
    assert not isinstance(caught.value, Interrupted)
