"""Jobs whose worker deadlocks: a thread of the parent holds `lock`. usage: python_jobs.py KIND"""
import concurrent.futures
import multiprocessing
import sys
import threading

lock, held = threading.Lock(), threading.Event()


def hold():
    with lock:
        held.set()
        threading.Event().wait()


def work(number):
    with lock:
        return number


def hang_at_start():
    work(0)


def main(kind):
    multiprocessing.set_start_method("fork")
    threading.Thread(target=hold, daemon=True).start()
    held.wait()
    if kind == "map":  # the worker that was ended had taken the task along
        with multiprocessing.Pool(2) as pool:
            print(pool.map(work, range(2)))
    elif kind == "respawn":
        with multiprocessing.Pool(2, hang_at_start) as pool:
            print(pool.map(int, "12"))
    elif kind == "executor":
        with concurrent.futures.ProcessPoolExecutor(2) as executor:
            try:
                executor.submit(work, 0).result()
            except concurrent.futures.process.BrokenProcessPool as error:
                print(type(error).__name__)


main(sys.argv[1])
