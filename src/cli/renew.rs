//! `kpki renew`

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    Done, Failure, Global,
    error::several,
    guard::secure_identities,
    init_ca::{take_lock, tidy},
    passphrase,
    ui::{BOLD, GREEN, Ui},
    up::loses_hosts,
};
use crate::{
    bootstrap::{
        ca::Ca,
        renew::{Candidate, Renewal, renew},
    },
    keystore::StoreProfile,
    pki::{IdentityName, Kind},
    state::{Inventory, OutDir, Owners},
};

/// Replace the certificates of existing identities
///
/// Hosts and lifetime are those of the inventory; paths and passwords stay, and so does the key unless --new-key is
/// given, or the key on disk is not the one that was signed. `kpki up` renews by itself what
/// its policy calls due.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki renew kafka1
  kpki renew kafka1 kafka2 --new-key
  kpki renew orders-service --days 90")]
pub struct Renew {
    /// The identities
    #[arg(required = true, value_name = "NAME")]
    names: Vec<IdentityName>,
    /// Make a new key as well
    #[arg(long)]
    new_key: bool,
    /// Days that the new certificates are valid, cut at the CA's end [default: as many as the old ones]
    #[arg(long, value_name = "N", value_parser = super::whole_number::<1, 36_500>)]
    days: Option<u32>,
    /// How PKCS12 stores are encrypted: default, or legacy for Java 8 before 8u301 [default: as they were]
    #[arg(long, value_name = "PROFILE")]
    store_profile: Option<StoreProfile>,
}

impl Renew {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        tidy(&out, ui)?;
        let ca = Ca::open(&out)?;
        let renewal = Renewal {
            new_key: self.new_key,
            days: self.days,
            profile: self.store_profile,
            now: OffsetDateTime::now_utc(),
        };
        let mut names = self.names;
        names.sort();
        names.dedup();
        // Unknown names are reported before a passphrase is asked for.
        secure_identities(&out, &names, ui)?;
        read(&out, &ca, &names, renewal)?;
        let issuer = ca.open_issuer(passphrase::existing(global, &ca.issuer)?.as_ref())?;
        let lock = take_lock(&out, ui)?;
        ca.issuer.check_unchanged(&lock)?;
        let (mut inventory, candidates) = read(&out, &ca, &names, renewal)?;
        for found in candidates.iter().filter_map(Candidate::distrust) {
            ui.warn(found);
        }
        for (name, hosts) in candidates.iter().filter_map(Candidate::lost_hosts) {
            ui.warn(loses_hosts(name, hosts));
        }
        let brokers = candidates.iter().any(|c| c.kind() == Kind::Broker);
        let now = renewal.now;
        let records = renew(&out, &lock, &mut inventory, &*issuer, &candidates, now)?;
        for record in &records {
            ui.say(format!(
                "{GREEN}renewed{GREEN:#}  {} {}, until {}",
                record.kind.name(),
                record.name,
                record.not_after.date()
            ));
        }
        let who = if brokers {
            "restart the broker, one at a time"
        } else {
            "restart the client"
        };
        ui.say(format!(
            "\n{BOLD}next:{BOLD:#} copy the directory to its machine and {who}"
        ));
        ui.document(&json!(records));
        Ok(())
    }
}

fn read(
    out: &OutDir,
    ca: &Ca,
    names: &[IdentityName],
    renewal: Renewal,
) -> Result<(Inventory, Vec<Candidate>), Failure> {
    let inventory = Inventory::read(out)?;
    let owners = Owners::read(out, None)?;
    let signer = ca.trust.signer();
    let mut candidates = Vec::new();
    let mut errors = Vec::new();
    for name in names {
        match Candidate::read(out, &inventory, &owners, signer, name, renewal) {
            Ok(candidate) => candidates.push(candidate),
            Err(error) => errors.push(error.into()),
        }
    }
    several(errors)?;
    Ok((inventory, candidates))
}
