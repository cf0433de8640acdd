fn main() {
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(pcm_runtime_deno::prototype).unwrap();
    thread.join().unwrap();
}
