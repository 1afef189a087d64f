from tests.backends.conftest import no_leaks

__all__ = ["no_leaks"]
