"""Tests of the importer in an interpreter of their own: it replaces where modules come from."""

import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

IMPORTER = Path(__file__).parent.parent / "boot/pcm_wasm/importer.py"

BOOT = f"""
import importlib.metadata, importlib.util, marshal, os, sys
importer = type(sys)("pcm_wasm.importer")
exec(compile(open({str(IMPORTER)!r}).read(), "importer.py", "exec"), importer.__dict__)
def module(text, is_package=False):
    return is_package, marshal.dumps(compile(text, "memory", "exec"))
importer.install({{"inner": module("x = 'memory'"), "bundle": module("", True)}}, {{}})
"""


class FilesTest(unittest.TestCase):
    """Two folders on `sys.path`, as the session has them at its end."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.packages = Path(folder.name) / "packages"
        self.work = Path(folder.name) / "work"

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_code(self, code: str) -> list[str]:
        """Boots, runs the code, and gives the lines that it printed."""
        folders = f"sys.path[:] = [{str(self.packages)!r}, {str(self.work)!r}]\n"
        program = BOOT + folders + textwrap.dedent(code)
        command = [sys.executable, "-I", "-S", "-B", "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def test_memory_comes_first_and_looks_at_no_file(self) -> None:
        self.write(self.packages / "inner.py", "x = 'file'")
        self.write(self.packages / "bundle/part.py", "x = 'file'")
        lines = self.run_code("""
            import inner, bundle, sys
            print(inner.x, sys.path_importer_cache)
            print(importlib.util.find_spec("bundle.part"))
        """)
        self.assertEqual(lines, ["memory {}", "None"])

    def test_packages_come_before_what_code_wrote(self) -> None:
        self.write(self.packages / "both/__init__.py", "from .part import x")
        self.write(self.packages / "both/part.py", "x = 'package'")
        self.write(self.work / "both.py", "x = 'work'")
        self.write(self.work / "mine.py", "x = 'work'")
        lines = self.run_code("import both, mine; print(both.x, mine.x, both.__file__)")
        self.assertEqual(lines, [f"package work {self.packages}/both/__init__.py"])

    def test_a_file_that_was_just_written_is_found(self) -> None:
        self.work.mkdir()
        lines = self.run_code("""
            assert importlib.util.find_spec("late") is None
            with open(sys.path[1] + "/late.py", "w") as file:
                file.write("x = 'late'")
            importlib.invalidate_caches()
            import late
            print(late.x, os.listdir(sys.path[1]))
        """)
        self.assertEqual(lines, ["late ['late.py']"])

    def test_without_folders_a_missing_module_is_missing(self) -> None:
        lines = self.run_code("""
            for name in ("nothing", "nothing.inside", "bundle.nothing"):
                try:
                    __import__(name)
                except ModuleNotFoundError as error:
                    print(error)
        """)
        self.assertEqual(
            lines,
            [
                "No module named 'nothing'",
                "No module named 'nothing'",
                "No module named 'bundle.nothing'",
            ],
        )

    def test_distributions_are_found(self) -> None:
        info = self.packages / "Some_Thing-1.5.dist-info"
        self.write(info / "METADATA", "Metadata-Version: 2.1\nName: Some-Thing\nVersion: 1.5\n")
        lines = self.run_code("""
            from importlib.metadata import distributions, version
            print(version("some-thing"), [d.name for d in distributions()])
        """)
        self.assertEqual(lines, ["1.5 ['Some-Thing']"])

    def test_bytecode_is_used_without_a_look_at_its_source(self) -> None:
        source = self.packages / "fast.py"
        self.write(source, "x = 'compiled'")
        lines = self.run_code(f"""
            import importlib._bootstrap_external as external
            code = compile("x = 'compiled'", {str(source)!r}, "exec")
            cached = importlib.util.cache_from_source({str(source)!r})
            os.mkdir(os.path.dirname(cached))
            with open(cached, "wb") as file:
                file.write(external._code_to_hash_pyc(code, bytes(8), False))
            with open({str(source)!r}, "w") as file:
                file.write("x = 'source'")
            import fast
            print(fast.x)
        """)
        self.assertEqual(lines, ["compiled"])


if __name__ == "__main__":
    unittest.main()
