//! `kpki up`

mod next;
mod report;

use std::path::Path;

use clap::Args;
use time::{Duration, OffsetDateTime};

use super::{
    CliError, Done, Failure, Global,
    guard::secure_identities,
    init_ca::{begin, tidy},
    passphrase,
    policy::read_policy,
    token::in_token,
    ui::{GREEN, Ui},
    verdict,
};
use crate::{
    bootstrap::{
        ca::{self, Ca},
        context::{Asked, Context, Danger},
        member::Member,
        plan::{Plan, plan},
        step::Step,
        trust::Trust,
        up,
    },
    issuer::{
        Issuer,
        local::{self, CaSpec, NewCa},
    },
    keystore::StoreProfile,
    pki::Dn,
    plan::Action,
    policy::{IssuerSettings, LAYOUTS, Layout, ValidatedPolicy},
    secret::Secret,
    state::{Inventory, Lock, OutDir},
};
use report::UpReport;
pub use report::loses_hosts;

/// How many names are listed as examples.
pub const NAMED: usize = 5;

/// Create and update everything that a policy describes
///
/// Creates the CA if it is missing, and for every broker and client a certificate, stores, SCRAM credentials and
/// server.properties or client.properties. Certificates that are due are renewed; other files stay byte for byte the
/// same, and nothing is ever deleted. Brokers keep their ids, whatever their order in the policy.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki up policies/quickstart.yaml
  kpki up --dry-run policies/quickstart.yaml
  kpki up --dry-run --exit-code cluster.yaml || echo 'there is something to do'
  KPKI_CA_PASSPHRASE_FILE=/run/secrets/ca kpki --out /srv/kpki up cluster.yaml")]
pub struct Up {
    /// The policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    policy: String,
    /// Only show what would be done, with a diff of every file; secrets are masked
    #[arg(long)]
    dry_run: bool,
    /// Exit with 3 if there is something to do
    #[arg(long, requires = "dry_run")]
    exit_code: bool,
    /// Allow a change that rolling restarts cannot apply to a running cluster (may be repeated): node-id, voters,
    /// cluster-id or listeners
    #[arg(long = "allow", value_name = "CHANGE", value_parser = danger)]
    dangers: Vec<Danger>,
    /// Overwrite a file that was edited by hand (may be repeated), as in --overwrite kafka1/server.properties
    #[arg(long, value_name = "FILE")]
    overwrite: Vec<String>,
    #[command(flatten)]
    shape: FileOptions,
}

/// How files are named and encoded, overriding the policy.
#[derive(Debug, Args)]
pub struct FileOptions {
    /// File names and password files, as a container image or recipe expects them
    #[arg(long, value_name = "NAME", value_parser = super::one_of(LAYOUTS, |l| l.name, |l| l.about))]
    layout: Option<&'static Layout>,
    /// Owner of the files, for containers that run as another user; needs root
    #[arg(long, value_name = "UID:GID", value_parser = owner)]
    owner: Option<(u32, u32)>,
    /// Encryption of PKCS12 stores: default, or legacy for Java 8 before 8u301 [default: as before]
    #[arg(long, value_name = "PROFILE")]
    store_profile: Option<StoreProfile>,
}

impl FileOptions {
    /// Overrides the policy with what was given on the command line.
    pub fn apply(&self, policy: ValidatedPolicy) -> ValidatedPolicy {
        policy.laid_out(self.layout, self.owner)
    }

    /// The layout, if one was given.
    pub fn layout(&self) -> Option<&'static Layout> {
        self.layout
    }

    /// The encryption of the stores, if it was given.
    pub fn profile(&self) -> Option<StoreProfile> {
        self.store_profile
    }

    /// The context of a run that starts now.
    pub fn context<'a>(
        &self,
        policy: &'a ValidatedPolicy,
        out: &'a OutDir,
        asked: Asked<'a>,
    ) -> Context<'a> {
        Context {
            policy,
            out,
            profile: self.store_profile,
            now: OffsetDateTime::now_utc(),
            asked,
        }
    }
}

/// Executes a plan, with a progress bar.
pub fn execute(
    ui: &Ui,
    context: Context<'_>,
    planned: &Plan<'_>,
    trust: &Trust,
    issuer: Option<&dyn Issuer>,
    lock: &Lock,
) -> Done {
    let changed = planned.steps.iter().filter(|s| s.action != Action::Keep);
    let bar = ui.progress(changed.count() as u64, "identities");
    let progress = |done| bar.inc(done as u64);
    up::execute(context, planned, trust, issuer, lock, &progress)?;
    bar.finish_and_clear();
    Ok(())
}

fn danger(text: &str) -> Result<Danger, String> {
    let mut all = Danger::ALL.into_iter();
    let known = Danger::ALL.map(Danger::word).join(", ");
    all.find(|danger| danger.word() == text)
        .ok_or_else(|| format!("known changes: {known}"))
}

/// The name of an identity's file in the record, however its path was written.
fn in_out(file: &str, out: &Path) -> String {
    let path = Path::new(file);
    let inside = path.strip_prefix(out).unwrap_or(path);
    let parts = inside.components().map(|c| c.as_os_str().to_string_lossy());
    let parts: Vec<_> = parts.collect();
    parts.join("/").trim_start_matches("./").to_owned()
}

fn owner(text: &str) -> Result<(u32, u32), String> {
    text.split_once(':')
        .and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)))
        // Unix reads the highest number as "leave it as it is".
        .filter(|(uid, gid)| *uid != u32::MAX && *gid != u32::MAX)
        .ok_or_else(|| "write numbers, as in 1000:1000".to_owned())
}

impl Up {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let policy = self.shape.apply(read_policy(&self.policy)?);
        let out = OutDir::new(&global.out);
        let overwrite = self.overwrite.iter().map(|f| in_out(f, out.root()));
        let overwrite: Vec<String> = overwrite.collect();
        let asked = Asked {
            dangers: &self.dangers,
            overwrite: &overwrite,
            dry_run: self.dry_run,
        };
        let context = self.shape.context(&policy, &out, asked);
        let mut report = UpReport {
            context,
            file: &self.policy,
            made_ca: false,
            refused: Vec::new(),
            dry_run: self.dry_run,
            ui,
        };
        if self.dry_run {
            let ca = CaOfRun::find(context, None)?;
            if let CaOfRun::There(ca) = &ca {
                compare_ca(&policy, ca, ui);
            }
            let mut planned = plan(context, ca.trust())?;
            report.refused = std::mem::take(&mut planned.refused)
                .into_iter()
                .map(CliError::from)
                .collect();
            if let CaOfRun::New(..) | CaOfRun::Far(..) = ca {
                ui.say(format!(
                    "{GREEN}would be created{GREEN:#}  the CA, {}",
                    out.ca().display()
                ));
                report.made_ca = true;
            }
            report.warn(&planned);
            let something = report.print(&planned);
            return verdict(!something || !self.exit_code);
        }
        tidy(&out, ui)?;
        // In a new directory, errors are reported before a passphrase is asked for and anything is created.
        let fresh = match out.root().exists() {
            true => None,
            false => {
                let ca = CaOfRun::find(context, Some(global))?;
                let planned = plan(context, ca.trust())?;
                let protection = match ca {
                    CaOfRun::New(..) => Some(passphrase::new(global)?),
                    CaOfRun::There(_) | CaOfRun::Far(..) => None,
                };
                Some((ca, planned, protection))
            }
        };
        let lock = begin(&out, ui)?;
        let (ca, planned, protection) = match fresh {
            Some((ca, planned, protection)) if !Ca::exists(&out)? => (ca, planned, protection),
            _ => {
                let members = Member::all(&policy).into_iter();
                secure_identities(&out, members.map(Member::name).collect::<Vec<_>>(), ui)?;
                let ca = CaOfRun::find(context, Some(global))?;
                if let CaOfRun::There(ca) = &ca {
                    compare_ca(&policy, ca, ui);
                }
                let planned = plan(context, ca.trust())?;
                (ca, planned, None)
            }
        };
        let (trust, issuer) = match ca {
            CaOfRun::New(new, trust) => {
                let protection = match protection {
                    Some(protection) => protection,
                    None => passphrase::new(global)?,
                };
                let issuer = ca::write(&out, &lock, *new, &trust, &protection)?;
                ui.say(format!(
                    "{GREEN}created{GREEN:#}  the CA, {}",
                    out.ca().display()
                ));
                report.made_ca = true;
                report.warn(&planned);
                (trust, Some(issuer))
            }
            CaOfRun::Far(ca, secret) => {
                // A missing credential is reported before anything is written.
                let secret = match secret {
                    None => passphrase::existing(global, &ca.issuer)?,
                    known => known,
                };
                let issuer = ca.open_issuer(secret.as_ref())?;
                ca.write(&out, &lock)?;
                ui.say(format!(
                    "{GREEN}registered{GREEN:#}  the CA of {}: {}",
                    ca.issuer.engine(),
                    ca.trust.root.subject
                ));
                report.made_ca = true;
                report.warn(&planned);
                (ca.trust, Some(issuer))
            }
            CaOfRun::There(mut ca) => {
                report.warn(&planned);
                let crl_url = match &policy.ca.crl_url {
                    Some(url) => {
                        let later = Inventory::read(&out)?.successor(ca.trust.signer());
                        Some(url.of_generation(later))
                    }
                    None => None,
                };
                ca.issuer.keep_crl_url(&out, &lock, crl_url.as_ref())?;
                let issuer = match planned.steps.iter().any(Step::signs) {
                    true => {
                        Some(ca.open_issuer(passphrase::existing(global, &ca.issuer)?.as_ref())?)
                    }
                    false => None,
                };
                if policy.ca.issuer.is_some() {
                    ca.keep_issuer(&out, &lock)?;
                }
                (ca.trust, issuer)
            }
        };
        execute(ui, context, &planned, &trust, issuer.as_deref(), &lock)?;
        compare_lifetimes(context, &planned, &trust, ui)?;
        report.print(&planned);
        Ok(())
    }
}

/// The CA that signs in a run.
enum CaOfRun {
    There(Ca),
    /// To be created.
    New(Box<NewCa>, Trust),
    /// It is elsewhere, and has not been used here before.
    Far(Box<Ca>, Option<Secret>),
}

impl CaOfRun {
    /// `global` says where secrets come from; with `None`, nothing is created.
    fn find(context: Context<'_>, global: Option<&Global>) -> Result<Self, Failure> {
        Ok(match Ca::exists(context.out)? {
            true => {
                let mut ca = Ca::open(context.out)?;
                if let Some(settings) = &context.policy.ca.issuer {
                    ca.follow(context.out, settings)?;
                }
                Self::There(ca)
            }
            false => {
                let wanted = &context.policy.ca;
                let spec = CaSpec {
                    subject: wanted.subject.clone(),
                    generation: 1,
                    key: wanted.key,
                    days: wanted.valid_days,
                    intermediate: false,
                    name_constraints: Vec::new(),
                };
                match (&context.policy.ca.issuer, global) {
                    (None, _) => {}
                    // The plan is the same for every new CA.
                    (Some(IssuerSettings::Pkcs11(_)), None) => {}
                    (Some(settings @ IssuerSettings::Pkcs11(_)), Some(global)) => {
                        let (ca, pin) = in_token(
                            global,
                            context.out,
                            settings,
                            &spec,
                            wanted.crl_url.clone(),
                            context.now,
                        )?;
                        return Ok(Self::Far(ca, Some(pin)));
                    }
                    (Some(settings), _) => {
                        let ca = Ca::elsewhere(context.out, settings)?;
                        return Ok(Self::Far(Box::new(ca), None));
                    }
                }
                let mut new = NewCa::make(&spec, context.now)?;
                new.crl_url = wanted.crl_url.clone();
                let trust = Trust::new(&new)?;
                Self::New(Box::new(new), trust)
            }
        })
    }

    fn trust(&self) -> &Trust {
        match self {
            Self::There(Ca { trust, .. }) | Self::New(_, trust) => trust,
            Self::Far(ca, _) => &ca.trust,
        }
    }
}

/// Notes that an external issuer granted a shorter validity than requested.
fn compare_lifetimes(
    context: Context<'_>,
    planned: &Plan<'_>,
    trust: &Trust,
    ui: &Ui,
) -> Result<(), Failure> {
    let days = context.policy.ca.leaf_valid_days;
    let asked = (context.now + Duration::days(days.into())).min(trust.signer().not_after);
    let inventory = Inventory::read(context.out)?;
    let signed = planned.steps.iter().filter(|step| step.signs());
    let records = signed.filter_map(|step| inventory.latest(step.member.name().as_str()));
    let ends = records.map(|record| record.not_after);
    if let Some(end) = ends.min()
        && end < asked - Duration::DAY
    {
        let (given, unit) = rounded(end - context.now);
        ui.note(format!(
            "note: the issuer granted certificates of {given} {unit}, although leaf_valid_days in the policy is {days}; run kpki up at least every {} {unit} to renew them in time",
            given / 3
        ));
    }
    Ok(())
}

/// A duration in the largest unit of which a third is a few.
fn rounded(duration: Duration) -> (i64, &'static str) {
    let nearest = |unit: Duration| {
        let unit = unit.whole_seconds();
        (duration.whole_seconds() + unit / 2) / unit
    };
    match (nearest(Duration::DAY), nearest(Duration::HOUR)) {
        (days @ 6.., _) => (days, "days"),
        (_, hours @ 6..) => (hours, "hours"),
        _ => (nearest(Duration::MINUTE), "minutes"),
    }
}

/// Notes where the existing CA differs from the policy: `up` does not replace it.
fn compare_ca(policy: &ValidatedPolicy, ca: &Ca, ui: &Ui) {
    let own = ca.trust.own();
    if ca.issuer.engine() != local::NAME {
        return;
    }
    let subject = own.subject.exact().parse::<Dn>();
    let subject = subject.map(|dn| dn.without_generation().0);
    if subject.as_ref() != Ok(&policy.ca.subject) {
        ui.note(format!(
            "note: the CA is {}, but the policy says {}; the CA is not changed",
            own.subject, policy.ca.subject
        ));
    }
    if own.key != Some(policy.ca.key) {
        ui.note(format!(
            "note: the CA's key is not {}, which the policy says; the CA is not changed",
            policy.ca.key
        ));
    }
}
