# about = "There are no processes beside the session's."
# expect = ["error:ModuleNotFoundError", "error:ImportError", "error:OSError", "error:AttributeError", "error:NotImplementedError"]
import multiprocessing

with multiprocessing.Pool(2) as pool:
    pool.map(len, ["a", "b"])
