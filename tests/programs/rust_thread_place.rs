// A thread of Rust's whose routine forks itself.
extern "C" {
    fn fork() -> i32;
    fn _exit(status: i32) -> !;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
}

#[inline(never)]
fn first_place() {
    unsafe {
        let child = fork();
        if child == 0 {
            _exit(0);
        }
        waitpid(child, std::ptr::null_mut(), 0);
    }
}

fn main() {
    std::thread::spawn(first_place).join().unwrap();
}
