//! What policies mean: defaults, positions, bindings, principals.

use kpki::{
    acl::{KafkaVersion, Principal, PrincipalPattern, ProblemCode},
    document::render,
    policy::{Auth, ClientAuth, Layout, Mode, NodeRole, ValidatedPolicy, parse},
    scram::Mechanism,
};

fn valid(name: &str, text: &str) -> ValidatedPolicy {
    parse(name, text, &|pattern| {
        Err(format!("nothing is called {pattern}"))
    })
    .unwrap_or_else(|d| panic!("{}", render(&d, false)))
}

/// The example of the policy file's documentation, with a team's file that it includes.
const DOCUMENTED: &str = r#"
cluster:
  name: quickstart
  bootstrap_servers: [localhost:9093]
  admin: admin
  mode: kraft
  kafka_version: "4.3"
  install_dir: /opt/ssl
  super_users: [User:breakglass]
  allow_everyone_if_no_acl_found: false
  principal_mapping_rules: ["RULE:^CN=([^,]+).*$/$1/", DEFAULT]
  listeners:
    - {name: SSL, port: 9093, protocol: SSL, client_auth: required}
    - {name: SASL_SSL, port: 9094, protocol: SASL_SSL, mechanisms: [SCRAM-SHA-512]}
  inter_broker_listener: SSL
ca:
  subject: "CN=Quickstart CA,O=Example"
  key: ecdsa-p256
  valid_days: 3650
  leaf_valid_days: 397
  renew_before_days: 60
brokers:
  - name: kafka1
    id: 1
    hosts: [kafka1, kafka1.example.com, 10.0.0.11, localhost]
clients:
  - name: admin
    auth: tls
  - name: orders-service
    auth: [tls, scram-sha-512]
    formats: [java, librdkafka, spring]
    roles:
      - produce: {topic: orders}
      - produce: {topic: {prefix: audit-}, transactional_id: orders-service}
      - consume: {topic: payments, group: orders-service}
  - name: clickstream
    auth: scram-sha-512
    roles:
      - streams: {application_id: clickstream, read: [clicks], write: [sessions], exactly_once: true}
acls:
  - principal: User:legacy-etl
    host: 10.0.0.7
    allow: [Read, Describe]
    topic: {prefix: etl-}
include:
  - files: teams/*.yaml
    scope: {prefix: team-a-, principals: [User:team-b-app]}
manage:
  principals: ["User:orders-service", {prefix: "User:team-"}]
tests:
  - {principal: User:orders-service, can: Write, topic: orders}
  - {principal: User:orders-service, cannot: Read, topic: orders}
"#;

const TEAM_A: &str = r#"
# of team a
clients:
  - name: team-a-app
    roles:
      - consume: {topic: [team-a-in, {prefix: team-a-x}], group: team-a-app}
acls:
  - {principal: User:team-b-app, deny: All, host: "::1", topic: team-a-in}
tests:
  - {principal: User:team-a-app, host: "::1", can: [Read, DESCRIBE], topic: [team-a-in, team-a-x1]}
"#;

fn documented() -> ValidatedPolicy {
    let include = |pattern: &str| {
        assert_eq!(pattern, "teams/*.yaml");
        Ok(vec![("teams/a.yaml".to_owned(), TEAM_A.to_owned())])
    };
    parse("p.yaml", DOCUMENTED, &include).unwrap_or_else(|d| panic!("{}", render(&d, false)))
}

#[test]
fn the_documented_example_means_what_the_documentation_says() {
    let policy = documented();
    let cluster = &policy.cluster;
    assert_eq!(cluster.admin.as_ref().unwrap().as_str(), "admin");
    assert_eq!(cluster.kafka_version, KafkaVersion::ASSUMED);
    assert_eq!(cluster.install_dir.as_deref(), Some("/opt/ssl"));
    assert_eq!(cluster.super_users, ["User:breakglass"]);
    assert_eq!(cluster.listeners[1].client_auth, ClientAuth::None);
    assert_eq!(cluster.listeners[1].mechanisms, [Mechanism::Sha512]);
    assert_eq!(cluster.controller_port, 9095);
    assert_eq!(policy.ca.subject.to_string(), "CN=Quickstart CA,O=Example");
    assert_eq!(policy.brokers[0].hosts[2].tagged(), "IP:10.0.0.11");

    let names: Vec<&str> = policy.clients.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        names,
        ["admin", "orders-service", "clickstream", "team-a-app"]
    );
    let orders = &policy.clients[1];
    assert_eq!(orders.auth, [Auth::Tls, Auth::Scram(Mechanism::Sha512)]);
    assert_eq!(orders.formats.len(), 3);
    assert_eq!(orders.source.to_string(), "p.yaml:29:5");
    assert_eq!(orders.roles[2].source.to_string(), "p.yaml:35:9");
    let team = &policy.clients[3];
    assert_eq!(
        (team.auth.as_slice(), team.scope.as_deref()),
        ([Auth::Tls].as_slice(), Some("team-a-"))
    );
    assert_eq!(team.source.to_string(), "teams/a.yaml:4:5");

    assert_eq!(policy.acls[0].host, "10.0.0.7");
    assert_eq!(policy.acls[1].host, "0:0:0:0:0:0:0:1");
    assert_eq!(
        policy.manage.as_deref().unwrap(),
        [
            PrincipalPattern::Exact(Principal::user("orders-service")),
            PrincipalPattern::Prefix("User:team-".to_owned()),
        ]
    );
    assert_eq!(policy.tests.len(), 3);
    assert_eq!(policy.tests[0].host, "0.0.0.0");
    assert!(!policy.tests[1].allowed);
    assert_eq!(policy.tests[2].names, ["team-a-in", "team-a-x1"]);
}

#[test]
fn every_binding_says_where_it_comes_from() {
    let lines: Vec<String> = documented()
        .bindings
        .iter()
        .map(|b| format!("{}  {}", b.source, b.binding))
        .collect();
    assert_eq!(
        lines,
        [
            "p.yaml:33:9  Allow User:orders-service Write on Topic `orders` from *",
            "p.yaml:34:9  Allow User:orders-service Write on Topic prefix `audit-` from *",
            "p.yaml:34:9  Allow User:orders-service Write on TransactionalId `orders-service` from *",
            "p.yaml:35:9  Allow User:orders-service Read on Topic `payments` from *",
            "p.yaml:35:9  Allow User:orders-service Read on Group `orders-service` from *",
            "p.yaml:39:9  Allow User:clickstream Read on Topic `clicks` from *",
            "p.yaml:39:9  Allow User:clickstream Write on Topic `sessions` from *",
            "p.yaml:39:9  Allow User:clickstream Create on Topic prefix `clickstream-` from *",
            "p.yaml:39:9  Allow User:clickstream Read on Topic prefix `clickstream-` from *",
            "p.yaml:39:9  Allow User:clickstream Write on Topic prefix `clickstream-` from *",
            "p.yaml:39:9  Allow User:clickstream Delete on Topic prefix `clickstream-` from *",
            "p.yaml:39:9  Allow User:clickstream Read on Group `clickstream` from *",
            "p.yaml:39:9  Allow User:clickstream Write on TransactionalId prefix `clickstream-` from *",
            "teams/a.yaml:6:9  Allow User:team-a-app Read on Topic `team-a-in` from *",
            "teams/a.yaml:6:9  Allow User:team-a-app Read on Topic prefix `team-a-x` from *",
            "teams/a.yaml:6:9  Allow User:team-a-app Read on Group `team-a-app` from *",
            "p.yaml:41:5  Allow User:legacy-etl Read on Topic prefix `etl-` from 10.0.0.7",
            "p.yaml:41:5  Allow User:legacy-etl Describe on Topic prefix `etl-` from 10.0.0.7",
            "teams/a.yaml:8:5  Deny User:team-b-app All on Topic `team-a-in` from 0:0:0:0:0:0:0:1",
        ]
    );
}

#[test]
fn what_is_left_out_has_its_documented_default() {
    for text in ["", "# nothing\n", "{}", "---\ncluster:\nbrokers:\nacls:\n"] {
        let policy = valid("p", text);
        assert_eq!(policy.cluster.name, "kafka");
        assert_eq!(policy.cluster.kafka_version, KafkaVersion::ASSUMED);
        assert_eq!(policy.cluster.mode, Mode::Kraft);
        assert_eq!(policy.cluster.listeners.len(), 1);
        assert_eq!(
            policy.cluster.listeners[0].client_auth,
            ClientAuth::Required
        );
        assert_eq!(policy.cluster.inter_broker_listener, "SSL");
        assert_eq!(policy.cluster.layout, &Layout::DEFAULT);
        assert_eq!(
            policy.cluster.principal_mapping_rules.to_string(),
            "RULE:^CN=([^,]+).*$/$1/,DEFAULT"
        );
        assert_eq!(policy.ca.subject.to_string(), "CN=Kafka CA");
        assert_eq!(
            (
                policy.ca.valid_days,
                policy.ca.leaf_valid_days,
                policy.ca.renew_before_days
            ),
            (3650, 397, 60)
        );
        assert!(policy.brokers.is_empty() && policy.bindings.is_empty() && policy.manage.is_none());
    }
    let policy = valid(
        "p",
        "cluster: {name: shop, owner: \"1000:1001\"}\nbrokers: [{name: a}, {name: b, hosts: [x_y.example, '::1']}]\n"
            .replace("x_y", "x-y")
            .as_str(),
    );
    assert_eq!(policy.ca.subject.to_string(), "CN=shop CA");
    assert_eq!(policy.cluster.owner, Some((1000, 1001)));
    assert_eq!(
        policy.brokers.iter().map(|b| b.id).collect::<Vec<_>>(),
        [None, None],
        "the output directory knows which they were given"
    );
    assert_eq!(policy.brokers[0].hosts[0].tagged(), "DNS:a");

    let policy = valid(
        "p",
        "clients: [{name: a, auth: scram-sha-512}, {name: b_c}]\nusers: [{name: u, auth: scram-sha-256}]",
    );
    let sasl = &policy.cluster.listeners[1];
    assert_eq!(
        (sasl.name.as_str(), sasl.port, sasl.client_auth),
        ("SASL_SSL", 9094, ClientAuth::None)
    );
    assert_eq!(sasl.mechanisms, [Mechanism::Sha256, Mechanism::Sha512]);
    assert_eq!(
        (policy.clients[0].iterations, policy.users[0].iterations),
        (8192, 8192)
    );
    assert_eq!(policy.clients[0].hosts[0].tagged(), "DNS:a");
    assert!(policy.clients[1].hosts.is_empty(), "b_c is no host name");
}

#[test]
fn a_node_is_what_its_roles_say_and_both_where_they_say_nothing() {
    let roles = |text: &str| {
        let policy = valid("p", text);
        let roles = policy.brokers.iter().map(|b| b.role);
        roles.collect::<Vec<_>>()
    };
    assert_eq!(
        roles(
            "brokers: [{name: a}, {name: b, roles: [controller, broker]}, {name: c, roles: [broker]}, {name: d, roles: controller}]"
        ),
        [
            NodeRole::Both,
            NodeRole::Both,
            NodeRole::Broker,
            NodeRole::Controller
        ]
    );
    let zookeeper =
        "cluster: {mode: zookeeper, zookeeper_connect: [zk:2181]}\nbrokers: [{name: a}]";
    assert_eq!(roles(zookeeper), [NodeRole::Broker]);
}

#[test]
fn controllers_and_brokers_on_one_machine_need_ports_of_their_own_only() {
    let port = |text: &str| valid("p", text).cluster.controller_port;
    // The broker's SSL listener is at 9095; only the controller's place matters.
    let apart = "brokers: [{name: a, hosts: [localhost], port_offset: 2, roles: [broker]}, {name: b, hosts: [localhost], roles: [controller]}]";
    assert_eq!(port(apart), 9096);
    let machines = "cluster: {controller_port: 9093}\nbrokers: [{name: a, roles: [broker]}, {name: b, roles: [controller]}]";
    assert_eq!(port(machines), 9093);
}

#[test]
fn controllers_without_a_free_port_are_an_error_and_not_at_9095() {
    let text = "cluster: {listeners: [{name: A, port: 1, protocol: SSL}]}
brokers: [{name: a, port_offset: 65534}]";
    let refused = parse("p", text, &|_| Ok(Vec::new())).unwrap_err();
    let messages: Vec<_> = refused.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(messages, ["no port is free on every controller"]);
}

#[test]
fn properties_are_texts_as_kafka_takes_them() {
    let policy = valid(
        "p",
        "cluster:
  properties: {a: 1, b: 0x10, c: 007, d: True, e: 1e3, f: 0.75, g: text, h: '1', i: '', j: 99999999999999999999, k: -1}
",
    );
    let all: Vec<_> = policy.cluster.properties.iter().collect();
    assert_eq!(
        all,
        [
            ("a", "1"),
            ("b", "16"),
            ("c", "7"),
            ("d", "true"),
            ("e", "1e3"),
            ("f", "0.75"),
            ("g", "text"),
            ("h", "1"),
            ("i", ""),
            ("j", "99999999999999999999"),
            ("k", "-1"),
        ]
    );
    assert!(
        !format!("{policy:?}").contains("0.75"),
        "values may be secret"
    );
}

#[test]
fn the_controllers_move_out_of_the_way() {
    let port = |text: &str| valid("p", text).cluster.controller_port;
    let listeners =
        "listeners: [{name: A, port: 9095, protocol: SSL}, {name: B, port: 9096, protocol: SSL}]";
    assert_eq!(port(&format!("cluster: {{{listeners}}}")), 9097);
    assert_eq!(
        port(
            &format!("cluster: {{{listeners}, controller_port: 9095}}")
                .replace("9095, p", "9098, p")
        ),
        9095
    );
    let neighbours =
        "brokers: [{name: a, hosts: [localhost]}, {name: b, hosts: [localhost], port_offset: 2}]";
    assert_eq!(port(neighbours), 9096, "9095 is the SSL listener of b");
    assert_eq!(
        valid("p", "cluster: {mode: zookeeper}")
            .cluster
            .kafka_version,
        KafkaVersion::new(3, 9)
    );
}

#[test]
fn rights_go_to_the_principals_that_the_mapping_rules_make() {
    let policy = valid(
        "p",
        r#"
cluster: {principal_mapping_rules: ["RULE:^CN=(.*)$/tls-$1/U"]}
brokers: [{name: kafka1}]
clients:
  - name: both
    auth: [tls, scram-sha-512]
    roles: [{produce: {topic: t}}]
acls:
  - {principal: User:other, allow: Read, topic: t}
"#,
    );
    let whom: Vec<&str> = policy
        .bindings
        .iter()
        .map(|b| &*b.binding.principal)
        .collect();
    assert_eq!(whom, ["User:TLS-BOTH", "User:both", "User:other"]);
    assert_eq!(
        policy.principals(&policy.clients[0]),
        ["User:TLS-BOTH", "User:both"]
    );
    assert_eq!(
        policy.broker_principal(&policy.brokers[0]).unwrap(),
        "User:TLS-KAFKA1"
    );
    let managed = ["User:TLS-BOTH", "User:both", "User:other"];
    let managed = managed.map(|p| PrincipalPattern::Exact(p.parse().unwrap()));
    assert_eq!(policy.managed(), managed);
    assert_eq!(documented().managed().len(), 2, "what `manage` says");
}

#[test]
fn a_right_that_is_granted_twice_is_one_binding_and_a_file_that_is_included_twice_one_file() {
    let team = "clients: [{name: a, roles: [{produce: {topic: t}}, {produce: {topic: [t, u]}}]}]";
    let include = |pattern: &str| {
        let all = [("teams/a.yaml", team), ("teams/b.yaml", "{}")];
        let fits = all
            .iter()
            .filter(|(name, _)| pattern.ends_with("*.yaml") || *name == pattern);
        Ok(fits
            .map(|(n, t)| ((*n).to_owned(), (*t).to_owned()))
            .collect())
    };
    let policy = parse("p", "include: [teams/a.yaml, teams/*.yaml]", &include).unwrap();
    let shown: Vec<String> = policy
        .bindings
        .iter()
        .map(|b| format!("{} {}", b.source, b.binding.name))
        .collect();
    assert_eq!(shown, ["teams/a.yaml:1:29 t", "teams/a.yaml:1:52 u"]);
}

#[test]
fn ranges_of_addresses_are_for_the_kafka_that_matches_them() {
    let acl = "acls: [{principal: User:a, host: 10.1.2.3/8, deny: Read, topic: t}]";
    let policy = valid("p", &format!("cluster: {{kafka_version: \"4.4\"}}\n{acl}"));
    assert_eq!(policy.acls[0].host, "10.0.0.0/8");
    let refused = parse("p", acl, &|_| Ok(Vec::new())).unwrap_err();
    assert_eq!(refused[0].code, ProblemCode::HostRange);
    assert_eq!(refused[0].source().to_string(), "p:1:34");
}
