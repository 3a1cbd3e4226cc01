//! With a real broker, whose ACLs Kafka's own tool lists.

use serde_json::{Value, json};

use super::binding;
use crate::support::{
    java::{Client, judge},
    jvm,
    one_broker::OneBroker,
};

#[test]
fn what_kafkas_own_tool_lists_plans_to_nothing() {
    let Some(cluster) = OneBroker::start("clients:\n  - name: admin\n") else {
        return;
    };
    let Some(judge) = judge() else { return };
    let bindings = [
        "User:CN=app,OU=x * ALLOW WRITE TOPIC LITERAL orders",
        "User:* 10.0.0.7 DENY READ TOPIC LITERAL orders",
        "User:app * ALLOW READ GROUP PREFIXED app-",
        "User:app 2001:db8:0:0:0:0:0:1 ALLOW DESCRIBE_CONFIGS CLUSTER LITERAL kafka-cluster",
        "User:app * ALLOW ALL TRANSACTIONAL_ID LITERAL *",
    ];
    let bindings: [Value; 5] = bindings.map(binding);
    let properties = cluster.out("admin/client.properties");
    let client = Client::new(&properties);
    judge.create_acls(&client, &bindings).unwrap();
    // What a broker lists may be older than what was just written.
    while judge.list_acls(&client).unwrap().len() < bindings.len() {}
    let installed = jvm::installed().unwrap();
    let bootstrap = std::fs::read_to_string(&properties).unwrap();
    let bootstrap = bootstrap
        .lines()
        .find_map(|l| l.strip_prefix("bootstrap.servers="));
    let bootstrap = bootstrap.unwrap();
    let output = jvm::brief(installed)
        .arg("org.apache.kafka.tools.AclCommand")
        .args([
            "--list",
            "--bootstrap-server",
            bootstrap,
            "--command-config",
        ])
        .arg(&properties)
        .current_dir(cluster.kpki.dir())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let kpki = &cluster.kpki;
    kpki.write("listed.txt", &String::from_utf8(output.stdout).unwrap());
    let document = kpki.json(&[
        "policy",
        "import",
        "listed.txt",
        "--out-file",
        "imported.yaml",
        "--json",
    ]);
    assert_eq!(document["not_taken"], json!([]), "{document:#}");
    assert_eq!(document["bindings"], bindings.len());
    let plan = [
        "acl",
        "plan",
        "imported.yaml",
        "--bootstrap-server",
        bootstrap,
        "--command-config",
    ];
    let rest = [
        properties.to_str().unwrap(),
        "--prune",
        "--exit-code",
        "--json",
    ];
    let plan = kpki.json(&[&plan[..], &rest].concat());
    assert_eq!(
        (&plan["creates"], &plan["deletes"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(plan["unchanged"], bindings.len());
}
