//! Whether the cluster has what the policy describes.

use std::{collections::BTreeSet, time::Duration};

use time::OffsetDateTime;

use super::{
    super::{
        Failure,
        cluster::{Connection, compare_id, connect},
        scram::desired,
        shell,
        ui::{Ui, named},
    },
    Unchecked,
};
use crate::{
    acl::{Binding, Permission},
    admin::ClientProperties,
    apply::{acl, observed},
    bootstrap::{
        cut_off::{cut_off, revoked_users},
        due::{Due, DueCode},
        passwords,
        revoke::revoked_identities,
    },
    plan::Deletion,
    policy::ValidatedPolicy,
    state::{Inventory, OutDir},
};

/// How many names are shown.
const NAMED: usize = 5;

/// How long to wait for a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything that is managed counts, including what the cluster has beyond the policy.
const ALL: Deletion = Deletion {
    prune: true,
    max_deletes: None,
};

/// What a cluster lacks, and what could not be compared although the policy names an admin.
#[derive(Default)]
pub struct Drift {
    pub found: Vec<Due>,
    pub unchecked: Option<Unchecked>,
}

const ACLS: &str = "ACLs";
const USERS: &str = "SCRAM users";

impl Drift {
    /// Of a cluster that cannot be compared.
    pub fn unknown(why: String) -> Self {
        Self {
            found: Vec::new(),
            unchecked: Some(unchecked(&[ACLS, USERS], why)),
        }
    }
}

fn unchecked(what: &[&str], why: String) -> Unchecked {
    let what = what.iter().map(|what| (*what).to_owned()).collect();
    Unchecked { what, why }
}

fn reason(error: &Failure) -> String {
    let error = error.only();
    error.map_or_else(String::new, |error| error.message.clone())
}

/// Plans ACLs and SCRAM users.
pub fn drift(ui: &Ui, policy: &ValidatedPolicy, out: &OutDir, connection: &Connection) -> Drift {
    if policy.cluster.admin.is_none() && !connection.is_named() {
        ui.detail(
            "the policy names no admin, so the cluster's ACLs and SCRAM users are not compared",
        );
        return Drift::default();
    }
    let properties = match connection.properties(ui, Some(policy), out.root()) {
        Ok(properties) => properties,
        Err(error) => return Drift::unknown(reason(&error)),
    };
    let mut drift = Drift::default();
    match acls(ui, policy, out, &properties) {
        Ok(due) => drift.found.extend(due),
        Err(error) => return Drift::unknown(reason(&error)),
    }
    match users(ui, policy, out, properties) {
        Ok(due) => drift.found.extend(due),
        Err(error) => drift.unchecked = Some(unchecked(&[USERS], reason(&error))),
    }
    drift
}

fn acls(
    ui: &Ui,
    policy: &ValidatedPolicy,
    out: &OutDir,
    properties: &ClientProperties,
) -> Result<Option<Due>, Failure> {
    let mut admin = connect(ui, properties)?;
    admin.set_timeout(PATIENCE);
    compare_id(ui, policy, out.root(), &admin)?;
    let observed = observed::read(&mut admin, properties, policy, &|_| ())?;
    let cut_off = cut_off(policy, out, OffsetDateTime::now_utc())?;
    let plan = acl::plan(policy, &cut_off, &observed, ALL);
    let (creates, deletes) = (plan.creates.len(), plan.deletes.len());
    let is_cut_off = |b: &&Binding| {
        let mut cut_off = cut_off.principals.iter();
        b.permission == Permission::Deny && cut_off.any(|p| p.as_str() == &*b.principal)
    };
    let denials = plan.creates.iter().filter(is_cut_off);
    let let_in: BTreeSet<String> = denials.map(|b| b.principal.to_string()).collect();
    let counts = (creates, deletes, 0);
    let mut due = due("acl", "bindings", counts, policy, out);
    urge(&mut due, let_in, "its principal is not denied yet", out)?;
    Ok(due)
}

fn users(
    ui: &Ui,
    policy: &ValidatedPolicy,
    out: &OutDir,
    properties: ClientProperties,
) -> Result<Option<Due>, Failure> {
    let desired = desired(policy, out, BTreeSet::new(), ALL)?;
    let mut connected = desired.connect(properties, |p| connect(ui, p))?;
    connected.admin.set_timeout(PATIENCE);
    let password = |user: &str| passwords::on_disk(out, policy, user).map_err(Failure::from);
    let plan = desired.plan(&mut connected, &password)?;
    let changes = plan.updates.len() + plan.rotates.len();
    let counts = (plan.creates.len(), plan.deletes.len(), changes);
    let revoked = revoked_users(out)?;
    let users = plan.deletes.iter().map(|info| info.user.clone());
    let let_in = users.filter(|user| revoked.contains(user)).collect();
    let mut due = due("scram", "SCRAM credentials", counts, policy, out);
    urge(&mut due, let_in, "its SCRAM credential still exists", out)?;
    Ok(due)
}

/// A revoked identity that the cluster still accepts is overdue since its revocation.
fn urge(
    due: &mut Option<Due>,
    let_in: BTreeSet<String>,
    why: &str,
    out: &OutDir,
) -> Result<(), Failure> {
    let Some(due) = due.as_mut().filter(|_| !let_in.is_empty()) else {
        return Ok(());
    };
    let inventory = Inventory::read(out)?;
    let revoked = revoked_identities(&inventory).into_iter();
    let since = revoked.filter_map(|record| Some(inventory.revocation(&record.serial)?.at));
    due.by = since.min();
    due.message += &format!("; revoked, but {why}: {}", named(let_in, NAMED));
    Ok(())
}

fn due(
    verb: &str,
    what: &str,
    (creates, deletes, changes): (usize, usize, usize),
    policy: &ValidatedPolicy,
    out: &OutDir,
) -> Option<Due> {
    let counts = [
        (creates, "in the policy but not in the cluster"),
        (changes, "different in the cluster"),
        (deletes, "in the cluster but not in the policy"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, how)| format!("{count} {how}"))
        .collect();
    let prune = match deletes > 0 {
        true => " --prune",
        false => "",
    };
    (!counts.is_empty()).then(|| Due {
        code: DueCode::Drift.into(),
        name: verb.to_owned(),
        message: format!("{what}: {}", counts.join(", ")),
        command: format!(
            "{} {verb} apply {}{prune}",
            shell::kpki(out.root()),
            shell::path(&policy.places.file.file)
        ),
        by: None,
    })
}
