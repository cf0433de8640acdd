# about = "A module whose importer never ends is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import sys


class Spin:
    @staticmethod
    def find_spec(name, path=None, target=None):
        while True:
            pass


sys.meta_path.insert(0, Spin)
import unheard_of
