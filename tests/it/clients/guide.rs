//! The examples of `docs/integrasi.md`, taken from the document and run against a bridge and the simulator, as far as
//! their runtime is on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::tools::{Site, python, working_day};
use crate::bridge::{FACILITY, card, wire};

const GUIDE: &str = include_str!("../../../docs/integrasi.md");

/// One example: its file, what its output must contain, its text.
struct Example {
    file: String,
    wanted: String,
    text: String,
}

fn examples() -> Vec<Example> {
    let mut found = Vec::new();
    for part in GUIDE.split("<!-- contoh: ").skip(1) {
        let (head, rest) = part.split_once(" -->\n").unwrap();
        let (file, wanted) = head.split_once(" memuat ").unwrap();
        let (_, code) = rest.split_once('\n').unwrap();
        let (text, _) = code.split_once("\n```").unwrap();
        found.push(Example { file: file.to_owned(), wanted: wanted.to_owned(), text: text.to_owned() });
    }
    found
}

/// The program that runs a file of this kind, and one that is asked whether it is here.
fn runtime(file: &str) -> (PathBuf, &'static str) {
    let kind = file.rsplit('.').next().unwrap();
    match kind {
        "sh" => ("bash".into(), "curl"),
        "php" => ("php".into(), "php"),
        // Runs a source file as it is; needs the compiler.
        "java" => ("java".into(), "javac"),
        "mjs" => ("node".into(), "node"),
        "py" => (python(), "python3"),
        other => panic!("no runtime for {other}"),
    }
}

fn is_here(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|told| told.status.success())
}

fn run(site: &Site, folder: &Path, n: usize, example: &Example, program: &Path) {
    let own = folder.join(n.to_string());
    std::fs::create_dir(&own).unwrap();
    let file = own.join(&example.file);
    std::fs::write(&file, &example.text).unwrap();
    let day = working_day();
    let mut command = Command::new(program);
    if example.file.ends_with(".sh") {
        command.arg("-eu");
    }
    command.arg(&file).current_dir(&own).env("NO_PROXY", "127.0.0.1");
    let local = |name: &str| site.local.text(name).to_owned();
    command.envs([
        ("JEMBATAN", format!("http://127.0.0.1:{}", site.bridge.port)),
        ("TOKEN", site.bridge.sim.clone()),
        ("FASKES", FACILITY.to_owned()),
        ("KARTU", card(u32::try_from(n).unwrap())),
        ("TANGGAL", wire(day)),
        ("TANGGAL_ISO", day.to_string()),
        ("REF", format!("contoh-{n}")),
        ("CONS_ID", local("cons_id")),
        ("SECRET_KEY", local("secret_key")),
        ("USER_KEY", local("user_key")),
    ]);
    let told = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{}: {out}\n{err}", example.file);
    assert!(out.contains(&example.wanted), "{}: no {:?} in {out}\n{err}", example.file, example.wanted);
}

#[test]
fn the_examples_of_the_guide_work() {
    let site = Site::up();
    let folder = tempfile::tempdir().unwrap();
    let all = examples();
    for language in [".sh", ".php", ".java", ".mjs", ".py"] {
        assert!(all.iter().any(|one| one.file.ends_with(language)), "the guide has an example in {language}");
    }
    let (mut ran, mut left_out) = (Vec::new(), Vec::new());
    for (n, example) in all.iter().enumerate() {
        let (program, asked) = runtime(&example.file);
        if is_here(asked) {
            run(&site, folder.path(), n, example, &program);
            ran.push(example.file.as_str());
        } else {
            left_out.push(format!("{} ({asked} is not here)", example.file));
        }
    }
    eprintln!("ran {ran:?}, left out {left_out:?}");
    // What every machine of ours has.
    for sure in ["serahkan.sh", "ikuti.sh", "serahkan.py", "salah.py", "gateway_token.sh", "gateway_pustaka.py"] {
        assert!(ran.contains(&sure), "{sure} did not run; left out: {left_out:?}");
    }
}
