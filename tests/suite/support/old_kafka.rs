//! Brokers of Kafka 2.2 and the ZooKeeper that keeps their metadata, all in one JVM.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;

use super::{
    jvm,
    kafka::{Broker, Node, write_properties},
    kpki::Kpki,
};

/// Starts the brokers of a policy in ZooKeeper mode, and waits until all of them are up. `None`: there is no Java or Maven here.
pub fn start(kpki: &Kpki, zookeeper: u16, nodes: &[Node]) -> Option<Broker> {
    let installed = match jvm::installed() {
        Ok(installed) => installed,
        Err(why) => {
            super::skip(&why);
            return None;
        }
    };
    let (work, data) = (kpki.path("work"), kpki.path("work/zookeeper"));
    std::fs::create_dir_all(&data).unwrap();
    let configuration = work.join("zookeeper.properties");
    write_properties(
        &configuration,
        &[
            ("dataDir", &data.display().to_string()),
            ("clientPort", &zookeeper.to_string()),
            ("clientPortAddress", "127.0.0.1"),
            ("admin.enableServer", "false"),
        ],
    );
    let mut java = jvm::java_2_2(installed);
    java.args(["-Xmx1g", "-XX:+UseSerialGC", "WhileStdin"])
        .arg("org.apache.zookeeper.server.ZooKeeperServerMain")
        .arg(configuration);
    for node in nodes {
        node.configure();
        let mut file = File::options()
            .append(true)
            .open(node.configuration())
            .unwrap();
        // They wait for their ZooKeeper, and for nobody in the end.
        file.write_all(
            b"\nzookeeper.connection.timeout.ms=120000\ncontrolled.shutdown.enable=false\n",
        )
        .unwrap();
        java.args([",", "kafka.Kafka"]).arg(node.configuration());
    }
    let mut running = Broker::spawn(java, &work);
    for id in 1..=nodes.len() {
        running.wait_for(&format!("[KafkaServer id={id}] started"));
    }
    Some(running)
}

/// Gives a user's password to the brokers as `kpki scram derive` says: by ZooKeeper's own shell.
pub fn add_user(kpki: &Kpki, zookeeper: u16, user: &str) {
    let password = std::fs::read_to_string(kpki.path(format!("out/{user}/scram.password")));
    let derive = ["scram", "derive", "--form", "zookeeper", "--user", user];
    let derived = kpki
        .run_with_input(&derive, &password.unwrap())
        .expect_code(0);
    let [path, change] = ["set it at ", "then create "].map(|words| {
        let found = derived.stderr.lines().find_map(|l| l.split_once(words));
        found.unwrap().1
    });
    let (change_path, change) = change.split_once(" with ").unwrap();
    let commands = format!(
        "create {path} {}\ncreate -s {change_path} {change}\nquit\n",
        derived.stdout.trim_end()
    );
    let mut shell = jvm::java_2_2(jvm::installed().unwrap())
        .args(["org.apache.zookeeper.ZooKeeperMain", "-server"])
        .arg(format!("127.0.0.1:{zookeeper}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = shell.stdin.take().unwrap();
    stdin.write_all(commands.as_bytes()).unwrap();
    drop(stdin);
    let output = shell.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    for created in [path, change_path] {
        assert!(said.contains(&format!("Created {created}")), "{said}");
    }
}
