"""Makes a Python on Linux look like the one on Windows to concompare, to the tests and to the cells of notebooks.

Python imports this when it starts with this folder in PYTHONPATH, and so do the workers, kernels and other programs
that it starts. What it hides:

- modules that Windows does not have (`fcntl`, `resource`, `pwd`, …), and the names that it lacks in `os`, `signal`,
  `socket`, `select`, `mmap`, `time` and `selectors`, as typeshed notes them;
- the start methods fork and forkserver, multiprocessing's resource tracker, the C library (`ctypes.CDLL(None)`), what
  psutil cannot tell there;
- the files below `/proc`, `/sys`, `/dev/shm` and `/dev/fd`.

What it does as Windows does:

- a file that this process or one of its children has open or mapped cannot be deleted or replaced;
- `os.kill` ends a process, whatever the signal, and asks nothing with signal 0; `select` takes nothing but sockets;
  `multiprocessing.connection.wait` returns at once where there is nothing to wait for; `subprocess` takes neither
  `pass_fds` nor `preexec_fn`.

The limits of the pretence:

- The standard library and installed packages see what is really there, for without it they do not run here: whether a
  name is hidden is decided by who asks for it. A path is hidden where the last caller outside of the standard library
  is not an installed package. `vars(os)` and `sys.modules` hide nothing.
- `sys.platform`, `os.name`, paths, the clocks' resolution and the exit codes of killed processes remain Linux's, and so
  does all that other packages decide by them: their branches for Windows are not run.
- An interrupt of a whole process group still reaches workers; on Windows a kernel alone is interrupted.
- A program that is started with `-I`, `-E` or without its environment variables does not pretend.
"""

from __future__ import annotations

import builtins
import errno
import functools
import importlib
import os
import re
import stat
import sys
import sysconfig
import types
from collections.abc import Callable
from typing import Any

MODULES = re.compile(
    r"_curses|_posixshmem|_posixsubprocess|crypt|curses|fcntl|grp|nis|ossaudiodev|posix|pty|pwd|readline|resource|spwd"
    r"|syslog|termios|tty"
)

LACKING = {
    "os": re.compile(
        r"""
        CLD_.* | CLONE_.* | EFD_.* | EX_.* | F_.?LOCK | F_TEST | GRND_.* | MFD_.* | NGROUPS_MAX | PIDFD_.* | POSIX_.*
        | PRIO_.* | P_ALL | P_PGID | P_PID | P_PIDFD | RTLD_.* | RWF_.* | SCHED_.* | SEEK_DATA | SEEK_HOLE | SPLICE_.*
        | ST_.* | TFD_.* | W[A-Z]+ | XATTR_.*
        | O_(ACCMODE|ASYNC|CLOEXEC|DIRECT|DIRECTORY|DSYNC|FSYNC|LARGEFILE|NDELAY|NOATIME|NOCTTY|NOFOLLOW|NONBLOCK|PATH)
        | O_(RSYNC|SYNC|TMPFILE)
        | chown | chroot | confstr | confstr_names | copy_file_range | ctermid | environb | eventfd.* | fchdir | fchown
        | fdatasync | fork | forkpty | fpathconf | fstatvfs | fwalk | get[a-z]*[ug]id | getenvb | getgrouplist
        | getgroups | getloadavg | getpgid | getpgrp | getpriority | getrandom | getxattr | grantpt | initgroups
        | killpg | lchown | listxattr | lockf | login_tty | major | makedev | memfd_create | minor | mkfifo | mknod
        | nice | openpty | pathconf | pathconf_names | pidfd_open | pipe2 | posix_.* | pread | preadv | ptsname | pwrite
        | pwritev | readv | register_at_fork | removexattr | sched_.* | sendfile | set[a-z]*[ug]id | setgroups | setns
        | setpgid | setpgrp | setpriority | setsid | getsid | setxattr | spawn[lv]pe? | splice | statvfs | struct_rusage
        | sync | sysconf | sysconf_names | tcgetpgrp | tcsetpgrp | timerfd_.* | ttyname | uname | unlockpt | unshare
        | wait | wait3 | wait4 | waitid | waitid_result | writev
        """,
        re.VERBOSE,
    ),
    "signal": re.compile(
        r"SIG(?!ABRT|FPE|ILL|INT|SEGV|TERM|_DFL|_IGN)[A-Z0-9_]+|ITIMER_.*|ItimerError|Sigmasks|alarm|getitimer|pause"
        r"|pidfd_send_signal|pthread_kill|pthread_sigmask|setitimer|sig(interrupt|pending|timedwait|wait|waitinfo)"
        r"|struct_siginfo"
    ),
    "socket": re.compile(
        r"AF_(ALG|CAN|KEY|NETLINK|PACKET|QIPCRTR|TIPC|UNIX|VSOCK)|CMSG_.*|SCM_.*|SOCK_CLOEXEC|SOCK_NONBLOCK"
        r"|SO_(BINDTODEVICE|DOMAIN|MARK|PASS.*|PEER.*|PRIORITY|PROTOCOL|REUSEPORT)|send_fds|recv_fds|sethostname"
        r"|MSG_(CMSG_CLOEXEC|CONFIRM|DONTWAIT|EOR|FASTOPEN|MORE|NOSIGNAL)"
    ),
    "select": re.compile(r"E?POLL.*|PIPE_BUF|e?poll"),
    "selectors": re.compile(r"(Epoll|Poll|_PollLike)Selector"),
    "mmap": re.compile(r"MADV_.*|MAP_.*|PROT_.*"),
    "time": re.compile(r"CLOCK_.*|clock_[gs]et.*|pthread_getcpuclockid|tzset"),
    "_multiprocessing": re.compile(r"sem_unlink"),
}
"""Names by module; typeshed, which mypy brings, has them below `if sys.platform != "win32"`."""

SINCE = {"set_blocking": (3, 12), "get_blocking": (3, 12), "fchmod": (3, 13), "lchmod": (3, 13)}
"""Names of `os` that Windows has since a version."""

PLACES = re.compile(r"/(proc|sys|dev/shm|dev/fd)(/|$)")

HERE = __file__
STANDARD = tuple({os.path.join(sysconfig.get_paths()[kind], "") for kind in ("stdlib", "platstdlib")})
INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\](?!concompare[/\\])")
IN_USE = "The process cannot access the file because it is being used by another process"

scandir, readlink, fstat, original_stat, getpid = os.scandir, os.readlink, os.fstat, os.stat, os.getpid


# ----------------------------------------------------------------------------------------------------------- who asks


@functools.cache
def kind_of(file: str) -> str:
    """Return whose code a file holds: that of Python, of an installed package, or of those who are pretended to."""
    if INSTALLED.search(file):
        return "installed"
    if file.startswith(("<frozen ", *STANDARD)) or file == HERE:
        return "python"
    return "theirs"


def fooled(frame: types.FrameType | None) -> bool:
    """Return whether the code of a frame is pretended to."""
    return frame is not None and kind_of(frame.f_code.co_filename) == "theirs"


def fooled_behind(frame: types.FrameType | None) -> bool:
    """Return whether the last caller outside of the standard library is pretended to."""
    while frame is not None:
        kind = kind_of(frame.f_code.co_filename)
        if frame.f_code.co_filename == HERE and frame.f_code.co_name == "in_use":
            return False
        if kind != "python":
            return kind == "theirs"
        frame = frame.f_back
    return False


# ------------------------------------------------------------------------------------------------------ names, modules


def mask(module: types.ModuleType, lacking: re.Pattern[str], instead: dict[str, Any] | None = None) -> None:
    """Hide names of a module, and let others be something else, for those who are pretended to."""
    own = instead or {}
    hidden = {name for name in vars(module) if lacking.fullmatch(name)}
    kind = type(module)

    class Masked(kind):  # type: ignore[misc, valid-type]
        def __getattribute__(self, name: str) -> Any:
            if (name in hidden or name in own) and fooled(sys._getframe(1)):
                if name in hidden:
                    raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
                return own[name]
            return super().__getattribute__(name)

        def __dir__(self) -> list[str]:
            return sorted(name for name in vars(module) if name not in hidden)

        def __reduce__(self) -> Any:
            return module_named, (module.__name__,)

    Masked.__module__, Masked.__qualname__, Masked.__name__ = kind.__module__, kind.__qualname__, kind.__name__
    module.__class__ = Masked


def module_named(name: str) -> Any:
    """Return the module of that name: pickles of masked ones are made of this."""
    return sys.modules.get(name) or importlib.import_module(name)


def mask_os() -> None:
    """Hide what `os` lacks, and kill as it does there."""
    later = "|".join(name for name, version in SINCE.items() if sys.version_info < version)
    lacking = re.compile(f"(?:{LACKING['os'].pattern})|(?:{later or '(?!)'})", re.VERBOSE)
    kill = os.kill

    def end(pid: int, number: int) -> None:
        if number in (0, 1) or pid == getpid():
            raise OSError(errno.EINVAL, f"signal {number} is an event of the console, or ends this process")
        kill(pid, 9)

    instead: dict[str, Any] = {"kill": end}
    if hasattr(os, "process_cpu_count"):
        instead["process_cpu_count"] = os.cpu_count
    instead |= dict.fromkeys(("supports_dir_fd", "supports_fd", "supports_follow_symlinks"), frozenset())
    mask(os, lacking, instead)


def mask_signal(module: Any) -> None:
    """Let an interrupt that any thread raises end what the main thread waits for."""
    raise_signal, pthread_kill = module.raise_signal, module.pthread_kill

    def raise_as_there(number: int) -> None:
        if number == module.SIGINT:
            pthread_kill(sys.modules["threading"].main_thread().ident, number)
        else:
            raise_signal(number)

    mask(module, LACKING["signal"], {"raise_signal": raise_as_there})


def mask_select(module: types.ModuleType) -> None:
    """Let `select` wait for nothing but sockets."""
    select: Callable[..., Any] = vars(module)["select"]

    def sockets_only(*arguments: Any) -> Any:
        for thing in (thing for group in arguments[:3] for thing in group):
            if not stat.S_ISSOCK(fstat(thing if isinstance(thing, int) else thing.fileno()).st_mode):
                raise OSError(10038, "An operation was attempted on something that is not a socket")
        return select(*arguments)

    mask(module, LACKING["select"], {"select": sockets_only})


def mask_selectors(module: Any) -> None:
    """Let the best selector be that of `select`."""
    mask(module, LACKING["selectors"], {"DefaultSelector": module.SelectSelector})


def mask_contexts(module: Any) -> None:
    """Let processes be started by spawn alone."""
    spawn = module._concrete_contexts["spawn"]
    module._concrete_contexts.clear()
    module._concrete_contexts["spawn"] = spawn
    module._default_context._default_context = spawn
    module.DefaultContext.get_all_start_methods = lambda self: ["spawn"]


def mask_tracker(module: Any) -> None:
    """Let nobody but multiprocessing itself start the tracker."""
    start = module.ensure_running

    def ensure_running() -> None:
        if fooled(sys._getframe(1)):
            raise ModuleNotFoundError("No module named '_posixsubprocess'", name="_posixsubprocess")
        start()

    module.ensure_running = ensure_running


def mask_connection(module: Any) -> None:
    """Wait for nothing at all no longer than Windows does."""
    wait = module.wait

    def wait_for(objects: Any, timeout: float | None = None) -> Any:
        objects = list(objects)
        return wait(objects, timeout) if objects or not fooled(sys._getframe(1)) else []

    module.wait = wait_for


def mask_subprocess(module: Any) -> None:
    """Take no arguments that Windows does not take."""
    start = module.Popen.__init__

    @functools.wraps(start)
    def begin(self: Any, *arguments: Any, **options: Any) -> None:
        given = [name for name in ("pass_fds", "preexec_fn") if options.get(name)]
        if given and fooled_behind(sys._getframe(1)):
            raise ValueError(f"{given[0]} is not supported on Windows platforms")
        start(self, *arguments, **options)

    module.Popen.__init__ = begin


def mask_ctypes(module: Any) -> None:
    """Load no library without a name."""
    start = module.CDLL.__init__

    @functools.wraps(start)
    def begin(self: Any, name: Any, *arguments: Any, **options: Any) -> None:
        if name is None and fooled(sys._getframe(1)):
            raise TypeError("argument of type 'NoneType' is not iterable")
        start(self, name, *arguments, **options)

    module.CDLL.__init__ = begin


def mask_psutil(module: Any) -> None:
    """Tell of a process's memory what is told there."""
    kind = module.Process

    def memory_full_info(self: Any, full: Any = kind.memory_full_info) -> Any:
        found = full(self)
        if not fooled(sys._getframe(1)):
            return found
        return types.SimpleNamespace(rss=found.rss, vms=found.vms, uss=found.uss, peak_wset=peak_of(self.pid))

    def memory_info(self: Any, info: Any = kind.memory_info) -> Any:
        found = info(self)
        if not fooled(sys._getframe(1)):
            return found
        return types.SimpleNamespace(rss=found.rss, vms=found.vms, peak_wset=max(found.rss, peak_of(self.pid)))

    kind.memory_full_info, kind.memory_info = memory_full_info, memory_info


def peak_of(pid: int) -> int:
    """Return the most bytes that a process had in memory."""
    found = in_use(lambda: [line for line in lines(pid, "status") if line.startswith("VmHWM")])
    return int(found[0].split()[1]) * 1024 if found else 0


MASKS: dict[str, Callable[[Any], None]] = {
    "signal": mask_signal,
    "select": mask_select,
    "selectors": mask_selectors,
    "multiprocessing.context": mask_contexts,
    "multiprocessing.resource_tracker": mask_tracker,
    "multiprocessing.connection": mask_connection,
    "subprocess": mask_subprocess,
    "ctypes": mask_ctypes,
    "psutil": mask_psutil,
    **{name: functools.partial(mask, lacking=LACKING[name]) for name in ("socket", "mmap", "time", "_multiprocessing")},
}
"""What to do with a module once it has been imported."""

original_import, original_import_module = builtins.__import__, importlib.import_module


def import_as_there(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
    """Import a module that Windows has, and mask it if it is one of those that have more here."""
    if not level and MODULES.fullmatch(name.partition(".")[0]) and fooled(sys._getframe(1)):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    try:
        return original_import(name, globals, locals, fromlist, level)
    finally:
        if MASKS:
            mask_what_came()


def import_module(name: str, package: str | None = None) -> Any:
    """Do the same for `importlib.import_module`."""
    if MODULES.fullmatch(name.partition(".")[0]) and fooled(sys._getframe(1)):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    try:
        return original_import_module(name, package)
    finally:
        if MASKS:
            mask_what_came()


def mask_what_came() -> None:
    """Mask the modules that have been imported since."""
    for name in tuple(MASKS):
        module = sys.modules.get(name)
        if module is not None and not getattr(module.__spec__, "_initializing", False):
            change = MASKS.pop(name, None)
            if change is not None:
                change(module)


# --------------------------------------------------------------------------------------------------------------- files


def is_hidden(path: Any) -> bool:
    """Return whether a path lies where Windows has nothing."""
    if isinstance(path, int):
        return False
    return PLACES.match(os.fsdecode(path)) is not None


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Let no file be opened that is not there, and none deleted that is open."""
    if event in ("open", "os.listdir", "os.scandir", "os.mkdir"):
        path = arguments[0]
        if isinstance(path, (str, bytes, os.PathLike)) and is_hidden(path) and fooled_behind(sys._getframe(1)):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
    elif event in ("os.remove", "os.rename"):
        caller = sys._getframe(1)
        if caller.f_code.co_filename.endswith(("tempfile.py", "heap.py")) or not fooled_behind(caller):
            return
        folders = arguments[1:] if event == "os.remove" else arguments[2:]
        for path, folder in zip(arguments, folders, strict=False):
            if in_use(functools.partial(is_open, path, folder)):
                raise PermissionError(errno.EACCES, IN_USE, path)


def in_use(ask: Callable[[], Any]) -> Any:
    """Ask the system, without being pretended to."""
    return ask()


def is_open(path: Any, folder: int) -> bool:
    """Return whether this process or one of its children has a file open or mapped."""
    try:
        found = original_stat(path, dir_fd=None if folder < 0 else folder, follow_symlinks=False)
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode):
        return False
    wanted, inode = (found.st_dev, found.st_ino), str(found.st_ino)
    for pid in [getpid(), *children()]:
        if any(words[4] == inode for line in lines(pid, "maps") if len(words := line.split(None, 5)) > 5):
            return True
        try:
            with scandir(f"/proc/{pid}/fd") as entries:
                for entry in entries:
                    try:
                        there = original_stat(entry.path)
                    except OSError:
                        continue
                    if (there.st_dev, there.st_ino) == wanted:
                        return True
        except OSError:
            continue
    return False


def children() -> list[int]:
    """Return the process ids of this process's children, whatever thread has started them."""
    found: list[int] = []
    with scandir("/proc/self/task") as tasks:
        for task in tasks:
            found += [int(word) for line in lines_of(f"{task.path}/children") for word in line.split()]
    return found


def lines(pid: int, name: str) -> list[str]:
    """Return what the system tells of a process."""
    return lines_of(f"/proc/{pid}/{name}")


def lines_of(path: str) -> list[str]:
    """Return the lines of a file, none where it is gone."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def hide_places() -> None:
    """Let the places that Windows does not have not be there for those who look before they open."""

    def blind(function: Any, answer: Callable[[Any], Any]) -> Any:
        @functools.wraps(function)
        def look(path: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(path, (str, bytes, os.PathLike)) and is_hidden(path) and fooled_behind(sys._getframe(1)):
                return answer(path)
            return function(path, *arguments, **options)

        return look

    def missing(path: Any) -> Any:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)

    for name in ("stat", "lstat", "readlink"):
        setattr(os, name, blind(getattr(os, name), missing))
    os.access = blind(os.access, lambda path: False)


def pretend() -> None:
    """Pretend from now on."""
    hide_places()
    mask_os()
    mask_what_came()
    # Interrupts are put off inside of Python's import machinery, which this is part of.
    import_as_there.__code__ = import_as_there.__code__.replace(co_filename="<frozen importlib windows_like>")
    builtins.__import__ = import_as_there
    importlib.import_module = import_module
    sys.addaudithook(watch)


if sys.platform == "linux":
    pretend()
