//! What the one may do who may write a team's file and nothing else. Each test does what such an attacker did.

use std::{
    os::unix::fs::symlink,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use kpki::policy::{ValidatedPolicy, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::kpki::{Kpki, Output};

/// A policy that includes the files of team a under a scope, with more of its `cluster` section.
fn with_team(cluster: &str, scope: &str, team: &str) -> Kpki {
    let kpki = Kpki::new();
    kpki.write(
        "p.yaml",
        &format!(
            "\
cluster:
  admin: admin
{cluster}
brokers: [{{name: kafka1}}]
clients:
  - {{name: admin}}
  - {{name: billing, auth: [tls, scram-sha-512]}}
acls:
  - {{principal: User:legacy, allow: Read, topic: old}}
include:
  - {{files: teams/a/*.yaml, scope: {scope}}}
"
        ),
    );
    kpki.write("teams/a/team.yaml", team);
    kpki
}

/// The codes of what is wrong and whether something was changed: nothing was.
fn refused(kpki: &Kpki) -> Vec<(String, String)> {
    let out = kpki
        .run(&["policy", "check", "p.yaml", "--json"])
        .expect_code(2);
    for verb in [&["up", "p.yaml"][..], &["acl", "expand", "p.yaml"]] {
        kpki.run(verb).expect_code(2);
    }
    assert!(!kpki.path("out").exists());
    let found = out.json()["error"]["diagnostics"]
        .as_array()
        .unwrap()
        .clone();
    let text = |d: &Value, key: &str| d[key].as_str().unwrap().to_owned();
    assert!(found.iter().all(|d| d["hint"].is_string()), "{found:#?}");
    found
        .iter()
        .map(|d| (text(d, "code"), text(d, "message")))
        .collect()
}

/// Fails unless something is wrong for this reason and no other.
#[track_caller]
fn refused_for(kpki: &Kpki, code: &str, part: &str) {
    let found = refused(kpki);
    assert!(!found.is_empty());
    assert!(found.iter().all(|(c, _)| c == code), "{found:#?}");
    assert!(found.iter().any(|(_, m)| m.contains(part)), "{found:#?}");
}

const SCOPE: &str = "{prefix: team-a-}";
const NONE: &str = "";

#[test]
fn a_team_declares_and_grants_what_its_scope_says() {
    let team = "\
clients:
  - {name: team-a-app, auth: [tls, scram-sha-512], roles: [{produce: {topic: {prefix: team-a-x}, transactional_id: team-a-t}}, {consume: {topic: team-a-in, group: team-a-g}}]}
acls:
  - {principal: User:team-a-app, allow: Describe, topic: {prefix: team-a-}}
  - {principal: User:partner, allow: Read, topic: team-a-out}
tests:
  - {principal: User:billing, cannot: Read, topic: orders}
  - {principal: User:admin, can: Alter, cluster: true}
";
    let scope = "{prefix: team-a-, principals: [User:partner]}";
    let kpki = with_team(NONE, scope, team);
    let bindings = kpki.ok(&["acl", "expand", "p.yaml", "--json"]).json_lines();
    assert_eq!(bindings.len(), 7, "{bindings:#?}");
    kpki.ok(&["acl", "test", "p.yaml"]);

    // Others than those whose names begin with the prefix, where the scope says so; then those are no longer meant.
    let scope = "{prefix: team-a-, clients: [etl, {prefix: a.}]}";
    let both = "clients: [{name: etl}, {name: a.b, roles: [{produce: {topic: team-a-x}}]}]\n";
    with_team(NONE, scope, both).ok(&["policy", "check", "p.yaml"]);
    let kpki = with_team(NONE, scope, "clients: [{name: team-a-app}]\n");
    refused_for(&kpki, "outside-scope", "`team-a-app`");
    let nobody = "{prefix: team-a-, clients: []}";
    let kpki = with_team(NONE, nobody, "clients: [{name: team-a-app}]\n");
    refused_for(&kpki, "outside-scope", "`team-a-app`");
}

#[test]
fn a_grant_to_a_client_that_is_not_declared_says_so() {
    let team = "acls: [{principal: User:team-a-y, allow: Read, topic: team-a-t}]\n";
    let declared = format!("clients: [{{name: team-a-y}}]\n{team}");
    with_team(NONE, SCOPE, &declared).ok(&["policy", "check", "p.yaml"]);
    let default = "  principal_mapping_rules: [DEFAULT]";
    for (cluster, team, hint) in [
        (NONE, team, "declare the client `team-a-y`"),
        (
            default,
            &declared,
            "the principal of the client `team-a-y` is User:CN=team-a-y",
        ),
    ] {
        let kpki = with_team(cluster, SCOPE, team);
        let fault = "User:team-a-y is not the principal of any declared client";
        refused_for(&kpki, "outside-scope", fault);
        let said = kpki.run(&["policy", "check", "p.yaml"]).stderr;
        assert!(said.contains(hint), "{said}");
    }
}

#[test]
fn a_team_cannot_take_the_name_of_a_super_user() {
    let listed = "  super_users: [User:breakglass, User:team-a-root]";
    let kpki = with_team(listed, SCOPE, "clients: [{name: breakglass}]\n");
    let found = refused(&kpki);
    let codes: Vec<&str> = found.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes, ["outside-scope", "unsaid-super-user"]);
    // By a password as well as by a certificate, with a name of its own, and where the scope names it.
    for (scope, name) in [
        (SCOPE, "team-a-root"),
        ("{prefix: team-a-, clients: [breakglass]}", "breakglass"),
    ] {
        for auth in ["tls", "scram-sha-512"] {
            let team = format!("clients: [{{name: {name}, auth: {auth}}}]\n");
            let kpki = with_team(listed, scope, &team);
            refused_for(&kpki, "unsaid-super-user", "which makes it a super user");
        }
    }
    // A file without a scope cannot either; the policy itself can.
    let kpki = Kpki::new();
    kpki.write("teams/a.yaml", "clients: [{name: breakglass}]\n");
    let policy = "cluster: {super_users: [User:breakglass]}\n";
    kpki.write("p.yaml", &format!("{policy}include: [teams/a.yaml]\n"));
    refused_for(&kpki, "unsaid-super-user", "`breakglass`");
    kpki.write(
        "p.yaml",
        &format!("{policy}clients: [{{name: breakglass}}]\n"),
    );
    kpki.ok(&["policy", "check", "p.yaml"]);
}

#[test]
fn a_team_cannot_become_the_admin() {
    let kpki = with_team(
        NONE,
        "{prefix: team-a-, clients: [admin]}",
        "clients: [{name: admin}]\n",
    );
    refused_for(&kpki, "duplicate-name", "`admin`");
    let kpki = Kpki::new();
    kpki.write("a.yaml", "clients: [{name: team-a-admin}]\n");
    kpki.write(
        "p.yaml",
        "cluster: {admin: team-a-admin}\ninclude: [{files: a.yaml, scope: {prefix: team-a-}}]\n",
    );
    refused_for(&kpki, "outside-scope", "the admin");
}

#[test]
fn a_team_cannot_become_another_teams_client() {
    let kpki = with_team(NONE, SCOPE, "clients: [{name: team-b-app}]\n");
    refused_for(&kpki, "outside-scope", "`team-b-app`");
    // Where its scope is wide enough, the name is still the other's, in whatever case.
    for name in ["billing", "Billing"] {
        let scope = format!("{{prefix: team-a-, clients: [{name}]}}");
        let kpki = with_team(NONE, &scope, &format!("clients: [{{name: {name}}}]\n"));
        refused_for(&kpki, "duplicate-name", name);
    }
    // Two teams.
    let kpki = with_team(NONE, SCOPE, "clients: [{name: team-a-app}]\n");
    kpki.write("teams/b/team.yaml", "clients: [{name: team-a-app}]\n");
    let policy = std::fs::read_to_string(kpki.path("p.yaml")).unwrap();
    let b = "  - {files: teams/b/*.yaml, scope: {prefix: team-b-}}\n";
    kpki.write("p.yaml", &format!("{policy}{b}"));
    let codes: Vec<String> = refused(&kpki).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["duplicate-name"]);
}

#[test]
fn a_team_cannot_become_somebody_else_through_a_mapping_rule() {
    let rules = |rest: &str| {
        format!(
            "  principal_mapping_rules: ['RULE:^CN=team-a-(.*)-app$/$1/', 'RULE:^CN=(.*)$/$1/']\n{rest}"
        )
    };
    let listed = rules("  super_users: [User:breakglass]");
    for (name, code, part) in [
        ("breakglass", "unsaid-super-user", "User:breakglass"),
        ("kafka1", "shared-principal", "the broker `kafka1`"),
        ("admin", "shared-principal", "the admin `admin`"),
        ("billing", "shared-principal", "`billing`"),
        // Whom the cluster knows, and the policy by what it grants to him.
        ("legacy", "outside-scope", "User:legacy"),
        ("ANONYMOUS", "shared-principal", "User:ANONYMOUS"),
        ("*", "bad-name", "team-a-*-app"),
    ] {
        let team = format!("clients: [{{name: team-a-{name}-app}}]\n");
        let kpki = with_team(&listed, SCOPE, &team);
        refused_for(&kpki, code, part);
    }
    // Said by the policy: nobody else is that.
    let scope = "{prefix: team-a-, principals: [User:legacy]}";
    let team = "clients: [{name: team-a-legacy-app}]\n";
    with_team(&listed, scope, team).ok(&["policy", "check", "p.yaml"]);
    // A password is not mapped, so the same name is nobody else with one.
    let team = "clients: [{name: team-a-breakglass-app, auth: scram-sha-512}]\n";
    with_team(&listed, SCOPE, team).ok(&["policy", "check", "p.yaml"]);
    // Nobody's principal, everybody's rights.
    let everybody = "  principal_mapping_rules: ['RULE:^CN=team-a-.*$/*/', DEFAULT]";
    let team = "clients: [{name: team-a-app}]\n";
    let kpki = with_team(everybody, SCOPE, team);
    refused_for(&kpki, "shared-principal", "User:*");
}

/// Somebody whose user and ACLs were made by hand: the policy says nothing of him, and `--prune` would delete what he has.
#[test]
fn a_team_cannot_become_whom_only_the_cluster_knows() {
    let rules = |rule: &str| format!("  principal_mapping_rules: ['{rule}', DEFAULT]");
    let stripped = rules("RULE:^CN=team-a-(.*)$/$1/");
    let team = "clients: [{name: team-a-handmade}]\n";
    let kpki = with_team(&stripped, SCOPE, team);
    refused_for(&kpki, "outside-scope", "User:handmade, which may be");
    // Unless the scope says so, or the principal is the client's own.
    let said = "{prefix: team-a-, principals: [User:handmade]}";
    with_team(&stripped, said, team).ok(&["policy", "check", "p.yaml"]);
    for rule in [
        "RULE:^CN=(.*)$/$1@example.com/",
        "RULE:^CN=(.*)$/$1/U",
        "RULE:^CN=(team-a-.*)made$/$1/",
        "RULE:^CN=never$/x/",
    ] {
        with_team(&rules(rule), SCOPE, team).ok(&["policy", "check", "p.yaml"]);
    }
}

#[test]
fn a_team_cannot_become_a_broker_by_sasl() {
    // Brokers are known by the whole name of their certificates, and log in to each other by name and password.
    let sasl = "  principal_mapping_rules: ['RULE:^CN=team-a-(.*)-app$/$1/', DEFAULT]
  listeners:
    - {name: SSL, port: 9093, protocol: SSL}
    - {name: SASL_SSL, port: 9094, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512]}
  inter_broker_listener: SASL_SSL";
    let team = "clients: [{name: team-a-kafka1-app}]\n";
    let kpki = with_team(sasl, SCOPE, team);
    refused_for(
        &kpki,
        "shared-principal",
        "User:kafka1, like that of the broker `kafka1`",
    );
    let by_certificate = sasl.replace(
        "inter_broker_listener: SASL_SSL",
        "inter_broker_listener: SSL",
    );
    // That is no broker then, but no name of the team's either.
    let kpki = with_team(&by_certificate, SCOPE, team);
    refused_for(&kpki, "outside-scope", "User:kafka1, which may be");
}

#[test]
fn a_team_grants_nothing_to_others_and_nothing_on_what_is_not_its_own() {
    for (entry, part) in [
        (
            "{principal: User:*, allow: Read, topic: team-a-x}",
            "everyone",
        ),
        (
            "{principal: User:admin, allow: Read, topic: team-a-x}",
            "a super user",
        ),
        (
            "{principal: User:kafka1, deny: All, topic: team-a-x}",
            "a super user",
        ),
        (
            "{principal: User:billing, allow: Read, topic: team-a-x}",
            "User:billing",
        ),
        (
            "{principal: User:team-a-unknown, allow: Read, topic: team-a-x}",
            "User:team-a-unknown",
        ),
        (
            "{principal: User:team-a-app, allow: Read, topic: orders}",
            "Topic `orders`",
        ),
        (
            "{principal: User:team-a-app, allow: Read, topic: {prefix: team-}}",
            "Topic prefix `team-`",
        ),
        (
            "{principal: User:team-a-app, allow: Read, topic: '*'}",
            "Topic `*`",
        ),
        (
            "{principal: User:team-a-app, allow: Read, group: g}",
            "Group `g`",
        ),
        (
            "{principal: User:team-a-app, allow: Write, transactional_id: t}",
            "TransactionalId `t`",
        ),
        (
            "{principal: User:team-a-app, allow: Alter, cluster: true}",
            "Cluster",
        ),
        (
            "{principal: User:team-a-app, allow: IdempotentWrite, cluster: true}",
            "Cluster",
        ),
        (
            "{principal: User:team-a-app, allow: Describe, delegation_token: team-a-x}",
            "DelegationToken",
        ),
        (
            "{principal: User:team-a-app, allow: CreateTokens, user: 'User:team-a-app'}",
            "User",
        ),
    ] {
        let team = format!("clients: [{{name: team-a-app}}]\nacls: [{entry}]\n");
        refused_for(&with_team(NONE, SCOPE, &team), "outside-scope", part);
    }
    // What the scope lists is never everyone, and a prefix means no super user.
    let team = "acls: [{principal: User:admin, allow: Read, topic: team-a-x}]\n";
    let kpki = with_team(
        NONE,
        "{prefix: team-a-, principals: [{prefix: 'User:'}]}",
        team,
    );
    refused_for(&kpki, "outside-scope", "a super user");
    let kpki = with_team(
        NONE,
        "{prefix: team-a-, principals: [User:*]}",
        "tests: []\n",
    );
    refused_for(&kpki, "bad-scope", "everyone");
}

#[test]
fn a_team_cannot_say_its_own_scope() {
    let kpki = with_team(
        NONE,
        SCOPE,
        "scope: {prefix: \"x\"}\nclients: [{name: x}]\n",
    );
    let out = kpki.run(&["policy", "check", "p.yaml"]).expect_code(2);
    let hint = "include: - {files: …, scope: {prefix: …}}";
    assert!(out.stderr.contains(hint), "{}", out.stderr);
    // A file that two entries name is under one scope or under none.
    let policy =
        "include:\n  - teams/a.yaml\n  - {files: teams/*.yaml, scope: {prefix: team-a-}}\n";
    let kpki = Kpki::new();
    kpki.write("p.yaml", policy);
    kpki.write("teams/a.yaml", "clients: []\n");
    refused_for(&kpki, "include-twice", "`teams/a.yaml`");
}

#[test]
fn a_producer_within_its_scope_may_be_idempotent_on_an_old_broker() {
    let old = "  mode: zookeeper\n  zookeeper_connect: [localhost:2181]\n  kafka_version: \"2.7\"";
    let team = "clients: [{name: team-a-app, roles: [{produce: {topic: team-a-x}}]}]\n";
    let expand = |cluster: &str| {
        let kpki = with_team(cluster, SCOPE, team);
        let lines = kpki.ok(&["acl", "expand", "p.yaml", "--json"]).json_lines();
        let of_team = lines
            .into_iter()
            .filter(|b| b["principal"] == "User:team-a-app");
        of_team
            .map(|b| b["operation"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(expand(old), ["WRITE", "IDEMPOTENT_WRITE"]);
    assert_eq!(expand(&old.replace("2.7", "2.8")), ["WRITE"]);
    assert_eq!(expand(NONE), ["WRITE"]);
}

fn binding(principal: &str, topic: &str) -> Value {
    json!({"resource_type": "TOPIC", "pattern_type": "LITERAL", "name": topic, "principal": principal,
           "host": "*", "operation": "READ", "permission": "ALLOW"})
}

/// Whose bindings a plan with `--prune` deletes.
fn pruned(kpki: &Kpki, observed: &[&str]) -> Vec<String> {
    let lines: Vec<String> = observed
        .iter()
        .map(|p| format!("{}\n", binding(p, "surplus")))
        .collect();
    kpki.write("acls.jsonl", &lines.concat());
    let plan = kpki.run(&[
        "acl",
        "plan",
        "p.yaml",
        "--observed",
        "acls.jsonl",
        "--prune",
        "--json",
    ]);
    let deletes = plan.json()["deletes"].as_array().unwrap().clone();
    deletes
        .iter()
        .map(|b| b["principal"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_team_cannot_widen_prune() {
    let all = [
        "User:*",
        "User:billing",
        "User:legacy",
        "User:other",
        "User:team-a-app",
        "User:zoe",
    ];
    let kpki = Kpki::new();
    let policy = "\
cluster: {admin: admin}
clients: [{name: admin}, {name: billing}]
acls: [{principal: User:legacy, allow: Read, topic: t}, {principal: User:*, allow: Read, topic: public}]
include:
  - teams/open.yaml
  - {files: teams/scoped.yaml, scope: {prefix: team-a-, principals: [User:zoe]}}
";
    kpki.write("p.yaml", policy);
    kpki.write(
        "teams/open.yaml",
        "acls: [{principal: User:*, allow: Read, topic: x}, {principal: User:other, allow: Read, topic: x}]\n",
    );
    kpki.write(
        "teams/scoped.yaml",
        "clients: [{name: team-a-app}]\nacls: [{principal: User:zoe, allow: Read, topic: team-a-x}]\n",
    );
    // The policy's clients and those that its scope lets a team declare, and whom its own acls name; not everyone.
    assert_eq!(
        pruned(&kpki, &all),
        ["User:billing", "User:legacy", "User:team-a-app"]
    );
    kpki.write(
        "p.yaml",
        &format!("{policy}manage: {{principals: [User:*, User:other]}}\n"),
    );
    assert_eq!(pruned(&kpki, &all), ["User:*", "User:other"]);
}

#[test]
fn a_principal_in_another_case_can_be_managed() {
    let kpki = Kpki::new();
    kpki.write("p.yaml", "manage: {principals: ['user:alice']}\n");
    let all = ["User:alice", "user:alice", "USER:alice"];
    assert_eq!(pruned(&kpki, &all), ["user:alice"]);
    // Nobody can be granted anything under such a name.
    kpki.write(
        "p.yaml",
        "acls: [{principal: 'user:alice', allow: Read, topic: t}]\n",
    );
    refused_for(&kpki, "principal-type-case", "user:alice");
}

/// Runs with a limit, so that a test that hangs is a test that fails.
fn within_seconds(kpki: &Kpki, arguments: &[&str]) -> Output {
    let mut child = kpki
        .command(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("kpki {arguments:?} did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let out = child.wait_with_output().unwrap();
    Output {
        code: out.status.code(),
        stdout: String::from_utf8(out.stdout).unwrap(),
        stderr: String::from_utf8(out.stderr).unwrap(),
    }
}

/// Checks a policy that includes one file, which is refused for this reason.
#[track_caller]
fn not_included(kpki: &Kpki, pattern: &str, why: &str) -> String {
    kpki.write("p.yaml", &format!("include: ['{pattern}']\n"));
    let out = within_seconds(kpki, &["policy", "check", "p.yaml"]).expect_code(2);
    assert!(
        out.stderr.contains("error[include-failed]"),
        "{}",
        out.stderr
    );
    assert!(out.stderr.contains(why), "{}", out.stderr);
    out.stderr
}

const SECRET: &str = "pa55word-of-the-admin-that-nobody-shall-read";

#[test]
fn an_include_follows_no_link() {
    let kpki = Kpki::new();
    kpki.write("out/admin/scram.password", &format!("{SECRET}\n"));
    kpki.write("elsewhere/a.yaml", "clients: [{name: a}]\n");
    kpki.write("teams/real.yaml", "clients: [{name: b}]\n");
    kpki.write("deep/a.yaml", "clients: [{name: c}]\n");
    symlink("../out/admin/scram.password", kpki.path("teams/a.yaml")).unwrap();
    symlink("../elsewhere", kpki.path("teams/dir")).unwrap();
    symlink("nothing", kpki.path("teams/dangling.yaml")).unwrap();
    for pattern in [
        "teams/*.yaml",
        "teams/a.yaml",
        "teams/dir/a.yaml",
        "teams/*/*.yaml",
    ] {
        let text = not_included(&kpki, pattern, "is a symbolic link");
        assert!(!text.contains(SECRET), "{text}");
    }
    // Links that lead upwards, through which a walk would never end.
    for link in ["again", "up", "upwards"] {
        symlink("..", kpki.path("deep").join(link)).unwrap();
    }
    kpki.write("p.yaml", "include: ['deep/**/*.yaml']\n");
    within_seconds(&kpki, &["policy", "check", "p.yaml"]).expect_code(0);
    // The policy itself may be a link, and includes what lies beside the link.
    kpki.write("real/p.yaml", "include: [teams/real.yaml]\n");
    std::fs::remove_file(kpki.path("p.yaml")).unwrap();
    symlink("real/p.yaml", kpki.path("p.yaml")).unwrap();
    kpki.ok(&["policy", "check", "p.yaml"]);
}

#[test]
fn an_include_stays_below_the_policys_directory() {
    let kpki = Kpki::new();
    kpki.write("secret.yaml", "clients: [{name: a}]\n");
    kpki.write("sub/teams/a.yaml", "clients: [{name: b}]\n");
    let whole = |path: &str| kpki.path(path).display().to_string();
    for pattern in [
        "../secret.yaml",
        "teams/../../secret.yaml",
        "/etc/passwd",
        &whole("secret.yaml"),
    ] {
        kpki.write("sub/p.yaml", &format!("include: ['{pattern}']\n"));
        let out = kpki.run(&["policy", "check", "sub/p.yaml"]).expect_code(2);
        assert!(
            out.stderr
                .contains("leads out of the policy's own directory"),
            "{}",
            out.stderr
        );
    }
    for pattern in ["teams/a.yaml", "./teams/*.yaml", &whole("sub/teams/a.yaml")] {
        kpki.write("sub/p.yaml", &format!("include: ['{pattern}']\n"));
        for policy in ["sub/p.yaml", "./sub/p.yaml", &whole("sub/p.yaml")] {
            kpki.ok(&["policy", "check", policy]);
        }
    }
}

#[test]
fn a_fifo_does_not_hang() {
    let kpki = Kpki::new();
    std::fs::create_dir(kpki.path("teams")).unwrap();
    let made = Command::new("mkfifo")
        .arg(kpki.path("teams/a.yaml"))
        .status()
        .unwrap();
    assert!(made.success());
    not_included(&kpki, "teams/a.yaml", "is not a regular file");
    // The policy itself may come through a pipe, as from `kpki … <(make-policy)`.
    let script = "\"$0\" policy check <(echo 'clients: [{name: a}]')";
    let out = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_kpki")])
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

#[test]
fn a_device_is_not_read_without_end() {
    let kpki = Kpki::new();
    symlink("/dev/zero", kpki.path("zero.yaml")).unwrap();
    not_included(&kpki, "zero.yaml", "is a symbolic link");
    not_included(&kpki, "/dev/zero", "leads out of");
    std::fs::create_dir(kpki.path("dir.yaml")).unwrap();
    not_included(&kpki, "dir.yaml", "is a directory");
    // Named by the one who runs kpki it is read, and not to its end.
    let out = within_seconds(&kpki, &["policy", "check", "/dev/zero"]).expect_code(1);
    assert!(
        out.stderr.contains("/dev/zero is larger than"),
        "{}",
        out.stderr
    );
    // A saved plan names such a file as well.
    kpki.write("p.yaml", "clients: [{name: a}]\n");
    kpki.write(
        "c.properties",
        "bootstrap.servers=x:1\nsecurity.protocol=SSL\nssl.truststore.location=/dev/zero\n",
    );
    for config in ["/dev/zero", "c.properties"] {
        let plan = ["acl", "plan", "p.yaml", "--command-config", config];
        let out = within_seconds(&kpki, &plan).expect_code(1);
        assert!(
            out.stderr.contains("/dev/zero is larger than"),
            "{}",
            out.stderr
        );
    }
}

#[test]
fn a_large_file_is_not_read_to_its_end() {
    let kpki = Kpki::new();
    let file = std::fs::File::create(kpki.write("teams/a.yaml", "")).unwrap();
    file.set_len(1 << 40).unwrap();
    not_included(&kpki, "teams/a.yaml", "is larger than");
}

#[test]
fn a_file_that_is_no_policy_is_not_shown() {
    let kpki = Kpki::new();
    for content in [
        format!("{SECRET}\n"),
        format!("password: {SECRET}\n"),
        format!("  {SECRET}: [\n"),
        format!("spring:\n  ssl:\n    password: \"{SECRET}\n"),
        format!("- {SECRET}\n- {SECRET}\n"),
        format!("{{\"key\": \"{SECRET}\"}}"),
    ] {
        kpki.write("teams/a.yaml", &content);
        kpki.write("p.yaml", "include: [teams/a.yaml]\n");
        for more in [None, Some("--json")] {
            let arguments = ["policy", "check", "p.yaml"].into_iter().chain(more);
            let out = kpki.run(&arguments.collect::<Vec<_>>()).expect_code(2);
            let said = out.stdout + &out.stderr;
            assert!(
                said.contains("not-a-policy") && !said.contains("pa55"),
                "{said}"
            );
        }
    }
    // Of a file that is one, long texts are cut.
    kpki.write(
        "teams/a.yaml",
        &format!("clients: '{}'\n", "x".repeat(5000)),
    );
    let out = kpki.run(&["policy", "check", "p.yaml"]).expect_code(2);
    assert!(!out.stderr.contains(&"x".repeat(161)), "{}", out.stderr);
}

#[test]
fn an_included_file_steers_no_terminal() {
    let kpki = Kpki::new();
    kpki.write("p.yaml", "include: [teams/a.yaml]\n");
    kpki.write(
        "teams/a.yaml",
        "clients:\n  - {name: \"a\\e[2J\\u202eb\", \"k\\u200f\\u061cey\": \"\u{202e}evil\"}\n",
    );
    for more in [None, Some("--json")] {
        let arguments = ["policy", "check", "p.yaml"].into_iter().chain(more);
        let out = kpki.run(&arguments.collect::<Vec<_>>()).expect_code(2);
        let said = out.stdout + &out.stderr;
        let steering = ['\u{1b}', '\u{202e}', '\u{200f}', '\u{61c}'];
        assert!(!said.contains(steering), "{said:?}");
        assert!(said.contains("unknown"), "{said}");
    }
}

#[test]
fn a_client_may_not_be_called_cluster_id() {
    let kpki = Kpki::new();
    for name in [
        "cluster.id",
        "CLUSTER.ID",
        "ca",
        "data",
        "written.jsonl",
        "Backup",
        "lock",
    ] {
        kpki.write("p.yaml", &format!("clients: [{{name: {name}}}]\n"));
        refused_for(&kpki, "bad-name", "is reserved");
    }
    kpki.ok(&["init-ca"]);
    for name in ["cluster.id", "Cluster.Id", "audit.jsonl"] {
        let out = kpki.run(&["issue", "--client", name]).expect_code(2);
        assert!(out.stderr.contains("is reserved"), "{}", out.stderr);
        assert!(!kpki.path("out").join(name).exists());
    }
}

#[test]
fn formats_are_a_list_with_commas() {
    let kpki = Kpki::new();
    kpki.ok(&["init-ca"]);
    kpki.ok(&[
        "issue",
        "--client",
        "app",
        "--format",
        "java,librdkafka",
        "--format",
        "spring",
    ]);
    for file in ["client.properties", "librdkafka.conf", "spring.yaml"] {
        assert!(kpki.path("out/app").join(file).exists(), "{file}");
    }
    let out = kpki
        .run(&["issue", "--client", "b", "--days", "0"])
        .expect_code(2);
    assert!(
        out.stderr
            .contains("must be a whole number from 1 to 36500"),
        "{}",
        out.stderr
    );
}

/// Nobody whom an included file declares is above the ACLs, and no two clients are one.
fn nobody_is_somebody_else(policy: &ValidatedPolicy) {
    let above = policy.super_users();
    let mut seen = Vec::new();
    for client in &policy.clients {
        for principal in policy.principals(client) {
            let included = &*client.source.file != "p.yaml";
            let is_admin = policy.cluster.admin.as_ref() == Some(&client.name);
            assert!(
                !included || !above.contains(&principal),
                "{principal} {above:?}"
            );
            assert!(is_admin || !seen.contains(&principal), "{principal}");
            seen.push(principal);
        }
    }
    for binding in policy
        .bindings
        .iter()
        .filter(|b| &*b.source.file != "p.yaml")
    {
        let binding = binding.binding.as_raw();
        assert!(binding.name.starts_with("a-") && &*binding.principal != "User:*");
        assert!(!above.iter().any(|above| *above == &*binding.principal));
    }
}

proptest! {
    /// Whatever rules and names come together, a team's file is refused or harmless.
    #[test]
    fn no_team_is_ever_somebody_else(
        rules in prop::collection::vec(prop::sample::select(vec![
            "RULE:^CN=a-(.*)$/$1/", "RULE:^CN=(.*)-x$/$1/", "RULE:^CN=(..).*$/$1/", "RULE:^CN=(.*)$/$1/L", "RULE:^CN=.*x$/root/",
            "RULE:^CN=a.*$/*/",
        ]), 0..3),
        names in prop::collection::hash_set("a-(root|k1|admin|b|legacy|x){1,2}(-x)?", 1..4),
        grants in prop::collection::vec("User:(root|k1|admin|b|legacy|\\*|a-b|a-x|CN=a-b|CN=k1)", 0..3),
        between in prop::sample::select(vec!["SSL", "SASL"]),
        password in any::<bool>(),
    ) {
        let rules: String = rules.iter().map(|rule| format!("'{rule}', ")).collect();
        let auth = if password { "[tls, scram-sha-512]" } else { "tls" };
        let main = format!(
            "\
cluster:
  admin: admin
  super_users: [User:root, 'User:CN=a-root']
  principal_mapping_rules: [{rules}DEFAULT]
  listeners:
    - {{name: SSL, port: 9093, protocol: SSL}}
    - {{name: SASL, port: 9094, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512]}}
  inter_broker_listener: {between}
brokers: [{{name: k1}}]
clients: [{{name: admin}}, {{name: b, auth: {auth}}}]
acls: [{{principal: User:legacy, allow: Read, topic: t}}]
include: [{{files: x, scope: {{prefix: a-}}}}]
"
        );
        let mut team = String::from("clients:\n");
        for name in &names {
            team += &format!("  - {{name: {name}, auth: {auth}, roles: [{{produce: {{topic: a-t}}}}]}}\n");
        }
        team += "acls:\n";
        for principal in &grants {
            team += &format!("  - {{principal: '{principal}', allow: Read, topic: a-u}}\n");
        }
        let include = |_: &str| Ok(vec![("x".to_owned(), team.clone())]);
        if let Ok(policy) = parse("p.yaml", &main, &include) {
            nobody_is_somebody_else(&policy);
        }
    }
}
