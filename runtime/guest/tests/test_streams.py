"""What stands in for a terminal."""

from __future__ import annotations

from pcm_guest.port import STDERR, STDOUT

from tests.session import SessionTest, session


class Output(SessionTest):
    def test_both_streams(self) -> None:
        self.run_code("import sys\nprint('out', end='')\nprint('err', file=sys.stderr)")
        expected = [(STDOUT, b"out"), (STDERR, b"err"), (STDERR, b"\n")]
        self.assertEqual([piece for piece in self.port.emitted if piece[1]], expected)

    def test_nothing_is_held_back(self) -> None:
        self.error_of("print('partial', end='')\nraise BaseException")
        self.assertEqual(self.port.stdout, "partial")

    def test_bytes(self) -> None:
        self.run_code("import sys\nsys.stdout.buffer.write(bytearray(b'a\\xff'))\nprint('b')")
        self.assertEqual(b"".join(data for _, data in self.port.emitted), b"a\xffb\n")

    def test_characters_that_are_none(self) -> None:
        self.run_code("print(chr(0xd800) + '\\0' + chr(233))")
        self.assertEqual(self.port.stdout, "?\0é\n")

    def test_what_libraries_ask_of_it(self) -> None:
        source = """
import sys
s = sys.stdout
[s.encoding, s.errors, s.writable(), s.readable(), s.isatty(), s.fileno(), s.mode, s.name, s.closed,
 s.write("abc"), s.flush(), s.reconfigure(line_buffering=True), s.writelines(["d", "e"])]"""
        expected = [
            "utf-8",
            "replace",
            True,
            False,
            False,
            1,
            "w",
            "<stdout>",
            False,
            3,
            None,
            None,
            None,
        ]
        self.assertEqual(self.value_of(source), expected)
        self.assertEqual(self.port.stdout, "abcde")

    def test_only_text_is_written(self) -> None:
        error = self.error_of("import sys\nsys.stdout.write(b'x')")
        self.assertEqual(error["message"], "write() argument must be str, not bytes")

    def test_redirection(self) -> None:
        source = (
            "import io, contextlib\nb = io.StringIO()\n"
            "with contextlib.redirect_stdout(b): print('x')\nb.getvalue()"
        )
        self.assertEqual(self.value_of(source), "x\n")
        self.assertEqual(self.port.stdout, "")

    def test_damage_lasts_one_run(self) -> None:
        for damage in (
            "sys.stdout = None",
            "sys.stdout = sys.stderr = sys.__stdout__ = 5",
            "del sys.stdout",
            "sys.stdout.close()",
            "sys.stdout.write = lambda text: 1 / 0",
            "sys.stdout._port = None",
            "sys.stdout.buffer = 5",
            "sys.stdout.buffer.close()",
            "sys.stdout.buffer._channel = sys.stdout.encode = None",
        ):
            self.assertEqual(self.run_code(f"import sys\n{damage}").error, {}, damage)
            self.assert_alive()

    def test_the_bytes_are_whole_again(self) -> None:
        self.run_code("import sys\nsys.stdout.buffer.write = None")
        self.run_code("sys.stdout.buffer.write(b'bytes')")
        self.assertEqual(self.port.stdout, "bytes")

    def test_a_stream_kept_from_an_earlier_run_still_works(self) -> None:
        self.run_code(
            "import logging, sys\nlogging.basicConfig(level='INFO', format='%(message)s')"
        )
        self.run_code("logging.info('later')")
        self.assertEqual(self.port.stderr, "later\n")

    def test_a_lying_string(self) -> None:
        self.run_code("class T(str):\n  def encode(self, *a): return 5\nprint(T('honest'))")
        self.assertEqual(self.port.stdout, "honest\n")


class Limit(SessionTest):
    def test_the_run_ends(self) -> None:
        with session(output_limit=100) as limited:
            source = """
for i in range(1000):
    try:
        print('x' * 10)
    except Exception:
        pass"""
            outcome = limited.run(source)
            self.assertEqual(outcome.error["kind"], "output")
            self.assertEqual(outcome.error["type"], "OutputLimitError")
            self.assertLessEqual(len(limited.port.stdout), 100)
            limited.port.output_limit = 100
            self.assertEqual(limited.run("1 + 1").value, 2)


class Input(SessionTest):
    def test_refused(self) -> None:
        for source in ("input()", "input('name? ')"):
            error = self.error_of(source)
            self.assertEqual(error["type"], "EOFError")
            self.assertIn("no keyboard", error["message"])

    def test_nothing_to_read(self) -> None:
        source = "import sys\n[sys.stdin.read(), sys.stdin.readline(), list(sys.stdin)]"
        self.assertEqual(self.value_of(source), ["", "", []])

    def test_breakpoint(self) -> None:
        error = self.error_of("breakpoint()")
        self.assertEqual(error["type"], "RuntimeError")
        self.assertIn("no debugger", error["message"])
