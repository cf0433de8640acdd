use pcm_runtime_api::*;
use pcm_runtime_in_process::*;
use std::sync::Arc;
#[tokio::main]
async fn main() {
    let engine = InProcessEngine::default();
    println!("{:?}", engine.prepare().await);
    let s = InProcessSandbox::new(engine, SandboxConfig::default());
    s.start(Arc::new(NoHost)).await.unwrap();
    println!("{:?}", s.run(RunRequest::new("1+1")).await);
    println!("{:?}", s.run(RunRequest::new("print('hi'); 1/0")).await);
    s.close().await;
}
