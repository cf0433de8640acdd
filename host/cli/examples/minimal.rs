//! The shortest way from code to its value.
//!
//! `cargo run --example minimal`

#![expect(clippy::print_stdout, reason = "a program for people")]

use pcm_sandbox::{Session, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let session = Session::builder().start().await?;

    // The value of the last expression is the value of the run.
    let result = session.run("numbers = [n * n for n in range(10)]\nsum(numbers)").await;
    println!("the sum is {}", result.value);
    assert_eq!(result.value, json!(285));

    // Variables live from run to run, also past an error.
    let failed = session.run("numbers[99]").await;
    if let Some(error) = &failed.error {
        println!("{}: {}", error.error_type, error.message);
    }
    let result = session.run("print(len(numbers), 'numbers')").await;
    print!("{}", result.stdout);
    assert_eq!(result.stdout, "10 numbers\n");

    println!("that took {:.1} ms of processor time", result.usage.cpu_ms);
    Ok(())
}
