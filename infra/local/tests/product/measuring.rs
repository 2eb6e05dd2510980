//! `measure` measures every function that the template names, as it is started by the stack.

use std::process::Command;

#[tokio::test]
async fn measure_starts_every_function_and_prints_each_figure() {
    let _turn = crate::TURN.lock().await;
    let measured = Command::new(env!("CARGO_BIN_EXE_thang-hang"))
        .args(["measure", "--orders", "20", "--members", "5"])
        .output()
        .expect("measure runs");
    let said = String::from_utf8_lossy(&measured.stdout);
    assert!(measured.status.success(), "{said}{}", String::from_utf8_lossy(&measured.stderr));
    for figure in ["door to card", "order-changed, CPU", "order-changed, resident", "write_units"] {
        assert!(said.contains(figure), "{figure} in {said}");
    }
    assert!(!said.contains(" 0.0 MiB"), "{said}");
    let functions = std::fs::read_dir(thang_hang::cli::serve::workspace().join("functions")).expect("functions");
    for function in functions {
        let function = function.expect("a function").file_name().into_string().expect("a name");
        assert!(said.lines().any(|line| line.trim_start().starts_with(&function) && line.ends_with(" ms")), "{said}");
    }
}
