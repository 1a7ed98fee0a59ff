// A Rust mutex is held by a thread at the fork; the child waits for it (test_deadlock.py).
use std::sync::mpsc;
use std::sync::Mutex;
use std::thread;

// Where a pthread_mutex_t would have its owner and user count.
static MUTEX: Mutex<[u32; 3]> = Mutex::new([4242, 4242, 1]);

extern "C" {
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(status: i32) -> !;
}

fn main() {
    let (held, is_held) = mpsc::channel();
    thread::spawn(move || {
        let _guard = MUTEX.lock().unwrap();
        held.send(()).unwrap();
        loop {
            thread::park();
        }
    });
    is_held.recv().unwrap();
    unsafe {
        let child = fork();
        if child == 0 {
            let _guard = MUTEX.lock().unwrap();
            _exit(0);
        }
        let mut status = 0;
        waitpid(child, &mut status, 0);
        _exit(if status == 9 { 137 } else { 0 });
    }
}
