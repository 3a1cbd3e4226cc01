//! A JVM with the real Kafka and the tests' own Java classes, both made by `tests/java/build`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

/// `java`, with Kafka and the test's own classes on its class path.
pub fn java(installed: &Path) -> Command {
    let mut command = with_libs(installed, "libs");
    command.arg("-Dlog4j2.configurationFile=log4j2.properties");
    command
}

/// The same for what ends before the second compiler has paid for itself, as a test's broker does. Benches, which are
/// optimised themselves, need it.
pub fn brief(installed: &Path) -> Command {
    let mut command = java(installed);
    command.arg("-XX:+IgnoreUnrecognizedVMOptions");
    // What the JVM itself warns of, such as an archive that it cannot use, is no part of a program's output.
    command.args(["-Xlog:disable", "-Xlog:all=warning:stderr"]);
    if cfg!(debug_assertions) {
        command.arg("-XX:TieredStopAtLevel=1");
    }
    let archive = archive(installed);
    if archive.exists() {
        command.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
    }
    command
}

/// The classes that a broker has loaded (JEP 350): with them it starts with a third less of the processor's time.
fn archive(installed: &Path) -> PathBuf {
    installed.join("kafka.jsa")
}

/// Has `start` run a broker once that leaves the archive behind when it ends in good order, where there is none yet.
pub fn make_archive(installed: &Path, start: impl FnOnce(Command)) {
    static MADE: AtomicBool = AtomicBool::new(false);
    if archive(installed).exists() || MADE.swap(true, Ordering::Relaxed) {
        return;
    }
    let new = installed.join(format!("kafka.jsa.{}", std::process::id()));
    let mut command = brief(installed);
    command.arg(format!("-XX:ArchiveClassesAtExit={}", new.display()));
    start(command);
    // A JVM without this leaves nothing.
    let _ = std::fs::rename(new, archive(installed));
}

/// The same with Kafka 2.2 and its ZooKeeper.
pub fn java_2_2(installed: &Path) -> Command {
    let mut command = with_libs(installed, "libs-2.2");
    let log4j = super::root().join("tests/java/kafka-2.2/log4j.properties");
    command
        .arg(format!("-Dlog4j.configuration=file:{}", log4j.display()))
        .arg("-XX:TieredStopAtLevel=1");
    command
}

fn with_libs(installed: &Path, libs: &str) -> Command {
    let mut command = Command::new(tool("java"));
    let (libs, classes) = (installed.join(libs), installed.join("classes.jar"));
    command
        .arg("-cp")
        .arg(format!("{}/*:{}", libs.display(), classes.display()));
    command
}

/// Where the jars and classes are, after building them if need be; or what is missing to do so.
pub fn installed() -> Result<&'static Path, String> {
    static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    INSTALLED
        .get_or_init(build)
        .as_deref()
        .map_err(String::clone)
}

fn build() -> Result<PathBuf, String> {
    for (name, version_argument) in [
        ("java", "-version"),
        ("javac", "-version"),
        ("mvn", "-version"),
    ] {
        if !super::exists(&tool(name), version_argument) {
            return Err(format!("there is no {name}"));
        }
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let directory = target.join("kafka");
    std::fs::create_dir_all(&directory).unwrap();
    // Another test run may be at it.
    let lock = File::create(directory.join("build.lock")).unwrap();
    lock.lock().unwrap();
    let output = Command::new(super::root().join("tests/java/build"))
        .arg(&directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "tests/java/build failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(directory)
}

fn tool(name: &str) -> String {
    match std::env::var("JAVA_HOME") {
        Ok(home) if name != "mvn" => format!("{home}/bin/{name}"),
        _ => name.to_owned(),
    }
}
