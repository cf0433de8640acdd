use pcm_runtime_api::*; use pcm_runtime_wasm::*; use std::time::Instant;
#[tokio::main(flavor="multi_thread", worker_threads=2)]
async fn main(){
  let t=Instant::now();
  let e=WasmEngine::shared().unwrap(); println!("engine {:?} {:?}", t.elapsed(), e.info());
  let l=Limits{timeout:Some(std::time::Duration::from_millis(1500)),..Limits::default()};
  let s=WasmSandbox::new(e.clone(), l.clone());
  for c in std::env::args().skip(1) { let t=Instant::now(); let r=s.run(RunRequest::new(c.clone())).await; println!("{:.60} [{:?}] -> {}", c, t.elapsed(), serde_json::to_string(&r).unwrap().chars().take(900).collect::<String>()); }
  let mut v=vec![]; let mut d=vec![];
  for _ in 0..300 { let t=Instant::now(); let s=WasmSandbox::new(e.clone(), l.clone()); let r=s.run(RunRequest::new("1+1")).await; assert_eq!(r.value,2); v.push(t.elapsed()); let t=Instant::now(); drop(s); d.push(t.elapsed()); }
  v.sort(); d.sort(); println!("fresh p50 {:?} p95 {:?} min {:?}; drop p50 {:?}", v[150], v[285], v[0], d[150]);
  let s=WasmSandbox::new(e.clone(), l.clone()); let mut v=vec![];
  for _ in 0..1000 { let t=Instant::now(); s.run(RunRequest::new("1+1")).await; v.push(t.elapsed()); } v.sort(); println!("trivial p50 {:?} p95 {:?}", v[500], v[950]);
}
