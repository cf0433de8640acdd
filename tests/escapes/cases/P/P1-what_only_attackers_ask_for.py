# about = "A kernel in its jail is refused what of the system only attackers need."
# backends = ["subprocess"]
# expect = "value:[]"
import ctypes
import os

library = ctypes.CDLL(None, use_errno=True)
calls = os.uname().machine == "x86_64"
buffer = ctypes.create_string_buffer(4096)
done = []
# By their numbers on this architecture: a C library has no function for most of them.
for name, number, *args in (
    ("unshare", 272, 0x10000000),
    ("mount", 165, b"none", b"/tmp", b"tmpfs", 0, None),
    ("ptrace", 101, 0, 0, 0, 0),
    ("add_key", 248, b"user", b"pcm", b"x", 1, -3),
    ("keyctl", 250, 0, -3, 0),
    ("bpf", 321, 0, buffer, 72),
    ("perf_event_open", 298, buffer, 0, -1, -1, 0),
    ("io_uring_setup", 425, 1, buffer),
    ("userfaultfd", 323, 1),
    ("name_to_handle_at", 303, -100, b"/usr", buffer, buffer, 0),
    ("process_vm_readv", 310, 1, buffer, 0, buffer, 0, 0),
    ("pidfd_open", 434, 1, 0),
    ("kexec_load", 246, 0, 0, None, 0),
    ("init_module", 175, buffer, 0, b""),
    ("sethostname", 170, b"x", 1),
):
    if calls and library.syscall(number, *args) >= 0:
        done.append(name)
# What a process asks about itself, or waits for, is no attack.
[name for name in done if name != "pidfd_open"]
