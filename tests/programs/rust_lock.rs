// A Rust lock of the kind named is held by a thread at the fork, or waits for one; the child waits for
// it (test_deadlock.py).
use std::sync::{mpsc, Condvar, Mutex, Once, RwLock};
use std::thread;

// Where a pthread_mutex_t would have its owner and user count.
static MUTEX: Mutex<[u32; 3]> = Mutex::new([4242, 4242, 1]);
static RWLOCK: RwLock<[u32; 3]> = RwLock::new([4242, 4242, 1]);
static CONDVAR: Condvar = Condvar::new();
static CONDITION: Mutex<bool> = Mutex::new(false);
static ONCE: Once = Once::new();

extern "C" {
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(status: i32) -> !;
}

fn hold(held: mpsc::Sender<()>) -> ! {
    let _guard = MUTEX.lock().unwrap();
    let _writer = RWLOCK.write().unwrap();
    ONCE.call_once(|| {
        held.send(()).unwrap();
        loop {
            thread::park();
        }
    });
    panic!();
}

#[inline(never)]
fn wait(kind: &str) {
    match kind {
        "rwlock" => drop(RWLOCK.read().unwrap()),
        "condvar" => drop(CONDVAR.wait(CONDITION.lock().unwrap()).unwrap()),
        "once" => ONCE.call_once(|| ()),
        "park" => thread::park(),
        "channel" => {
            let (_sender, receiver) = mpsc::channel::<()>();
            receiver.recv().unwrap();
        }
        _ => drop(MUTEX.lock().unwrap()),
    }
}

fn main() {
    let kind = std::env::args().nth(1).unwrap_or_default();
    let (held, is_held) = mpsc::channel();
    thread::spawn(move || hold(held));
    is_held.recv().unwrap();
    unsafe {
        let child = fork();
        if child == 0 {
            wait(&kind);
            _exit(0);
        }
        let mut status = 0;
        waitpid(child, &mut status, 0);
        _exit(if status == 9 { 137 } else { 0 });
    }
}
