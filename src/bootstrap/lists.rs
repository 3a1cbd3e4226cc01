//! The CRLs: one of each trusted CA, as a certificate is checked with the CRL of its issuer; and below an intermediate,
//! one of the root, which programs that check whole chains need as well.

use std::path::{Path, PathBuf};

use rustls_pki_types::{CertificateRevocationListDer, pem::PemObject};
use time::OffsetDateTime;

use super::{
    BootstrapError,
    ca::{Ca, retired},
    revoke::next_list,
    slot::Slot,
    trust::{Lineage, Trust},
};
use crate::{
    issuer::Issuer,
    keystore::pem,
    pki::{Certificate, Kind, RevocationList, SignedCrl, crl_path, hex, unhex},
    printable::{Name, Printable},
    secret::Secret,
    state::{CrlIssue, Event, Inventory, Lock, OutDir, Record, read_record, write_atomic},
};

/// The current CRLs, PEM. The signing CA's is the first.
pub const CRL: &str = "crl.pem";
/// The same as DER, as required at a CRL distribution point (RFC 5280 §4.2.1.13): one CRL per file.
pub const CRL_DER: &str = "crl.der";

/// Minimum validity of a root's CRL in days: its key should be offline, and its CRL is empty.
const ROOT_DAYS: u32 = 365;

/// A key that signs a CRL.
pub struct Signing {
    issuer: Box<dyn Issuer>,
    /// Its certificate.
    signer: Certificate,
    is_root: bool,
}

/// All keys that sign now.
pub struct Keys {
    /// The key of the CA that signs leaves.
    own: Signing,
    others: Vec<Signing>,
    /// Roots' CRLs that are not due yet, or cannot be signed here; DER.
    kept: Vec<Vec<u8>>,
    /// What no key here can put on a list: for warnings.
    pub lacking: Vec<String>,
}

/// The contents of the next CRLs, each with its issuer.
pub type NextLists = Vec<(Name, RevocationList)>;

/// A new CRL.
#[derive(Debug)]
pub struct Crl {
    /// The CA that signed it.
    pub issuer: Name,
    /// Its content.
    pub list: RevocationList,
    /// DER.
    pub der: Vec<u8>,
    /// Which CA it belongs to; `None`: the first.
    generation: Option<u32>,
    is_root: bool,
}

/// All new CRLs.
#[derive(Debug)]
pub struct Lists {
    /// The signing CA's.
    pub own: Crl,
    /// The others.
    pub others: Vec<Crl>,
    /// All of them, PEM.
    pub pem: String,
}

/// Opens every key that signs a CRL now.
///
/// # Errors
/// If one of them cannot be opened.
pub fn open(
    out: &OutDir,
    ca: &Ca,
    passphrase: Option<&Secret>,
    inventory: &Inventory,
    now: OffsetDateTime,
) -> Result<Keys, BootstrapError> {
    let lineage = ca.trust.lineage();
    let mut keys = Keys {
        own: Signing {
            issuer: ca.open_issuer(passphrase)?,
            signer: lineage.signer().clone(),
            is_root: false,
        },
        others: Vec::new(),
        kept: Vec::new(),
        lacking: Vec::new(),
    };
    let retired = retired(out, &ca.trust)?;
    let standby = ca.trust.standby.as_ref();
    let lineages = [
        Some((Slot::Signer, &lineage)),
        standby.map(|standby| (Slot::Standby, standby)),
        // A root's list is the root's own.
        retired
            .as_ref()
            .filter(|(_, retired)| !retired.intermediates.is_empty())
            .map(|(slot, retired)| (*slot, retired)),
    ];
    for (slot, lineage) in lineages.into_iter().flatten() {
        let Lineage {
            root,
            intermediates,
        } = lineage;
        let with = |file: &str, signer: &Certificate, behind: &[Certificate], is_root| {
            let path = out.ca_file(file);
            let Some(bytes) = read_record(&path)? else {
                return Ok(None);
            };
            let issuer = ca.issuer.with_key(path, bytes.into());
            Ok::<_, BootstrapError>(Some(Signing {
                issuer: issuer.open(signer, behind, passphrase)?,
                signer: signer.clone(),
                is_root,
            }))
        };
        let names = slot.names();
        if slot != Slot::Signer {
            let signer = intermediates.first().unwrap_or(root);
            keys.others
                .extend(with(&names.key, signer, intermediates, false)?);
        }
        // The other CA may be below the same root, or be that root.
        let is_done = (slot != Slot::Signer && root.der == ca.trust.root.der)
            || signers(&ca.trust).any(|signer| signer.der == root.der);
        if is_done {
            continue;
        }
        let current = read(out, &ca.trust)?.unwrap_or_default();
        let there = current.iter().find(|list| list.issuer == root.subject);
        // A root's list is short: it has signed leaves only where it once was the signing CA.
        let next = next_list(inventory, root.subject.exact(), 1, now);
        let is_on_it = |serial: &[u8]| there.is_some_and(|list| list.has(serial));
        let lacks = next.entries.iter().find(|entry| !is_on_it(&entry.serial));
        let is_good = lacks.is_none() && there.is_some_and(|list| list.due() > now);
        let signing = match is_good {
            true => None,
            false => with(&names.root_key, root, &[], true)?,
        };
        if let (None, Some(lacks)) = (&signing, lacks) {
            keys.lacking.push(format!(
                "the CRL of {} still lacks {}, which is revoked: put {} back and run kpki crl again",
                root.subject,
                hex(&lacks.serial),
                out.ca_file(&names.root_key).display()
            ));
        }
        match (signing, there) {
            (Some(signing), _) => keys.others.push(signing),
            (None, Some(list)) => keys.kept.push(list.der.to_vec()),
            (None, None) if lacks.is_none() && lineage.has_own_root() => {
                keys.lacking.push(no_list_of_root(out, slot, root));
            }
            // It is published by the root's owner.
            (None, None) => {}
        }
    }
    let signers: Vec<&Name> = keys.all().map(|s| &s.signer.subject).collect();
    let gone = gone(inventory, &signers, &ca.trust, now);
    keys.lacking.extend(gone);
    // CAs that sign leaves come first.
    keys.others.sort_by_key(|signing| signing.is_root);
    Ok(keys)
}

/// That revoked certificates are on no CRL and never will be, as the key of their CA is gone. Only the owner of the root
/// can do something about it, and whether that was done cannot be seen here, so it is no fault.
///
/// # Errors
/// If the CAs cannot be read.
pub fn unpublished(
    out: &OutDir,
    trust: &Trust,
    inventory: &Inventory,
    now: OffsetDateTime,
) -> Result<Option<String>, BootstrapError> {
    let retired = retired(out, trust)?.map(|(_, retired)| retired);
    let all = signers(trust).chain(retired.iter().map(Lineage::signer));
    let all: Vec<&Name> = all.map(|signer| &signer.subject).collect();
    Ok(gone(inventory, &all, trust, now))
}

/// Revoked certificates of CAs that have no key here any more, though a root above them is trusted.
fn gone(
    inventory: &Inventory,
    signers: &[&Name],
    trust: &Trust,
    now: OffsetDateTime,
) -> Option<String> {
    let disowned = trust.disowned(inventory);
    let signs = |ca: &str| signers.iter().any(|signer| **signer == *ca);
    let is_root = |ca: &str| trust.trusted().any(|root| root.subject == *ca);
    let gone: Vec<&String> = inventory
        .authorities()
        .map(|ca| &ca.subject)
        .filter(|ca| !disowned.contains(ca.as_str()) && !is_root(ca) && !signs(ca))
        .collect();
    if gone.is_empty() {
        return None;
    }
    let lost = inventory.revoked();
    let lost = lost.filter(|r| r.not_after > now && gone.contains(&&r.issuer));
    let lost: Vec<&Record> = lost.collect();
    let first = lost.first()?;
    let until = lost.iter().map(|r| r.not_after).max()?;
    let more = match lost.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    Some(format!(
        "{} of {}{more} is on no CRL: the key of {}, which signed it, is gone, but its root is trusted: have that CA's own certificate revoked by the CA that issued it; this ends on {}, when the last of them has expired",
        first.serial,
        first.name,
        Printable(&first.issuer),
        until.date()
    ))
}

/// That a root whose key is kept elsewhere has no CRL yet.
fn no_list_of_root(out: &OutDir, slot: Slot, root: &Certificate) -> String {
    let key = out.ca_file(&slot.names().root_key);
    let back = match key.exists() {
        true => String::new(),
        false => format!("put {} back and ", key.display()),
    };
    format!(
        "{} lacks the CRL of {}, without which programs that check whole chains, such as nginx, refuse every certificate: {back}run kpki crl",
        out.ca_file(CRL).display(),
        root.subject
    )
}

/// The current CRLs that a trusted CA has signed, in their order; `None` if there is no file.
///
/// # Errors
/// If the file cannot be read.
pub fn read(out: &OutDir, trust: &Trust) -> Result<Option<Vec<SignedCrl>>, BootstrapError> {
    let Some(text) = read_record(&out.ca_file(CRL))? else {
        return Ok(None);
    };
    let ders = CertificateRevocationListDer::pem_slice_iter(&text).filter_map(Result::ok);
    let retired = retired(out, trust)?.map(|(_, retired)| retired);
    let others = trust.standby.iter().chain(&retired);
    let authorities: Vec<&Certificate> = trust
        .intermediates
        .iter()
        .chain(others.flat_map(|other| &other.intermediates))
        .chain(trust.trusted())
        .collect();
    let lists = ders.filter_map(|der| SignedCrl::read(der, authorities.iter().copied()));
    Ok(Some(lists.collect()))
}

/// True if there is a CRL of every trusted CA.
///
/// # Errors
/// If they cannot be read.
pub fn are_whole(out: &OutDir, trust: &Trust) -> Result<bool, BootstrapError> {
    let lists = read(out, trust)?.unwrap_or_default();
    let mut signers = signers(trust);
    Ok(signers.all(|signer| lists.iter().any(|list| list.issuer == signer.subject)))
}

/// The CAs that sign leaves, the current one first.
fn signers(trust: &Trust) -> impl Iterator<Item = &Certificate> {
    std::iter::once(trust.signer()).chain(trust.standby.as_ref().map(Lineage::signer))
}

/// What is wrong with the CRLs.
#[derive(Debug)]
pub enum Trouble {
    /// They do not do their work: why, and when they expired, if that is it.
    Fault(String, Option<OffsetDateTime>),
    /// One of them expires soon: when, and what replacing it needs.
    Due(OffsetDateTime, &'static str),
}

/// Finds the first problem of the CRLs: one is missing, has expired, lacks a revoked certificate that has not expired, or
/// is in the last third of its validity.
///
/// # Errors
/// If they cannot be read.
pub fn examine(
    out: &OutDir,
    trust: &Trust,
    inventory: &Inventory,
    now: OffsetDateTime,
) -> Result<Option<Trouble>, BootstrapError> {
    let path = out.ca_file(CRL);
    let shown = path.display();
    let trouble = |message, by| Ok(Some(Trouble::Fault(message, by)));
    let lasting: Vec<&Record> = inventory.revoked().filter(|r| r.not_after > now).collect();
    let Some(lists) = read(out, trust)? else {
        return match lasting.is_empty() {
            true => Ok(None),
            false => trouble(
                format!("{shown} is missing, but certificates were revoked"),
                None,
            ),
        };
    };
    let retired = retired(out, trust)?.map(|(_, retired)| retired);
    let retired = retired.iter().map(Lineage::signer);
    // A root that once was the signing CA itself.
    let is_of_root = |r: &&Record| trust.root.subject == r.issuer;
    let root = lasting.iter().any(is_of_root).then_some(&trust.root);
    for (at, signer) in signers(trust).chain(retired).chain(root).enumerate() {
        let Some(list) = lists.iter().find(|list| list.issuer == signer.subject) else {
            return trouble(
                match at {
                    0 => format!("{shown} is not a CRL signed by the CA"),
                    // Nothing is checked against the CRL of a CA that has signed nothing yet.
                    _ if !has_signed(inventory, signer, now) => continue,
                    _ => format!(
                        "{shown} lacks the CRL of {}, which is trusted as well",
                        signer.subject
                    ),
                },
                None,
            );
        };
        let mut lasting = lasting.iter().filter(|r| r.issuer == list.issuer);
        let is_on_it = |r: &Record| unhex(&r.serial).is_some_and(|serial| list.has(&serial));
        if let Some(record) = lasting.find(|r| !is_on_it(r)) {
            return trouble(
                format!(
                    "{shown} lacks {} of {}, which is revoked{}",
                    record.serial,
                    record.name,
                    key_away(out, trust, &list.issuer)
                ),
                None,
            );
        }
    }
    if let Some(list) = lists.iter().find(|list| list.this_update > now) {
        return trouble(
            format!(
                "{shown} is valid only from {}, as it was signed while the clock was ahead: programs that check it refuse every certificate until then",
                list.this_update.date()
            ),
            Some(now),
        );
    }
    let due = lists.iter().filter(|list| list.due() <= now);
    let due = due.min_by_key(|list| list.next_update);
    let due = due.map(|list| (list.next_update, key_away(out, trust, &list.issuer)));
    if let Some((end, needs)) = due.filter(|(end, _)| *end <= now) {
        let date = end.date();
        let message = format!(
            "{shown} expired on {date}: programs that check it refuse every certificate{needs}"
        );
        return trouble(message, Some(end));
    }
    let own = trust.lineage();
    let standby = trust.standby.iter().map(|other| (Slot::Standby, other));
    for (slot, lineage) in [(Slot::Signer, &own)].into_iter().chain(standby) {
        let root = &lineage.root;
        if lineage.has_own_root()
            && lists.iter().all(|list| list.issuer != root.subject)
            && has_signed(inventory, lineage.signer(), now)
        {
            return trouble(no_list_of_root(out, slot, root), None);
        }
    }
    Ok(due.map(|(end, needs)| Trouble::Due(end, needs)))
}

/// Whether a CA has signed a broker's or client's certificate that has not expired.
pub(super) fn has_signed(inventory: &Inventory, signer: &Certificate, now: OffsetDateTime) -> bool {
    let mut records = inventory.records().iter();
    records.any(|record| {
        let is_leaf = matches!(record.kind, Kind::Broker | Kind::Client);
        is_leaf && record.issuer == signer.subject && record.not_after > now
    })
}

/// What replacing the CRL of a root needs, if its key is not here.
fn key_away(out: &OutDir, trust: &Trust, issuer: &Name) -> &'static str {
    let is_root = *issuer != trust.signer().subject && *issuer == trust.root.subject;
    match is_root && !out.ca_file(&Slot::Signer.names().root_key).exists() {
        true => "; it is the root's CRL, so put root.key back to sign a new one",
        false => "",
    }
}

impl Keys {
    fn all(&self) -> impl Iterator<Item = &Signing> {
        std::iter::once(&self.own).chain(&self.others)
    }

    /// What they sign next, in their order, each with its issuer.
    pub fn next_lists(&self, inventory: &Inventory, days: u32, now: OffsetDateTime) -> NextLists {
        let lists = self.all().map(|signing| {
            let days = match signing.is_root {
                true => days.max(ROOT_DAYS),
                false => days,
            };
            let issuer = signing.signer.subject.clone();
            let list = next_list(inventory, issuer.exact(), days, now);
            (issuer, list)
        });
        lists.collect()
    }

    /// The files that their CRLs are written to as DER, if the first CA's is `path`.
    pub fn der_files(&self, inventory: &Inventory, path: &Path) -> Vec<PathBuf> {
        let leaves = self.all().filter(|signing| !signing.is_root);
        let files = der_files(path, leaves.map(|s| (inventory.successor(&s.signer), ())));
        files.into_iter().map(|(file, _)| file).collect()
    }
}

/// Signs the next CRLs, records their numbers and writes them.
///
/// # Errors
/// If one cannot be signed, recorded or written.
pub fn write(
    out: &OutDir,
    lock: &Lock,
    inventory: &mut Inventory,
    keys: &Keys,
    next: NextLists,
    now: OffsetDateTime,
) -> Result<Lists, BootstrapError> {
    let mut made = Vec::new();
    for (signing, (issuer, list)) in keys.all().zip(next) {
        made.push(Crl {
            der: signing.issuer.sign_crl(&list)?.to_vec(),
            issuer,
            generation: inventory.successor(&signing.signer),
            is_root: signing.is_root,
            list,
        });
    }
    // An unused number does no harm; a number used twice does.
    let issues = made.iter().map(|crl| {
        Event::Crl(CrlIssue {
            at: now.truncate_to_second(),
            number: crl.list.number,
            issuer: crl.issuer.exact().to_owned(),
        })
    });
    let issues: Vec<Event> = issues.collect();
    let text = || -> String {
        let ders = made.iter().map(|crl| &crl.der).chain(&keys.kept);
        ders.map(|der| pem::crl(der)).collect()
    };
    // What is written for them is made while the disk is waited for.
    let (recorded, text) = rayon::join(|| inventory.append_events(lock, issues), text);
    recorded?;
    write_atomic(&out.ca_file(CRL), text.as_bytes(), 0o644, None)?;
    let own = made.remove(0);
    let lists = Lists {
        own,
        others: made,
        pem: text,
    };
    let der = out.ca_file(CRL_DER);
    if der.exists() {
        lists.write_der(&der)?;
    }
    Ok(lists)
}

impl Lists {
    /// All of them, the signing CA's first.
    pub fn all(&self) -> impl Iterator<Item = &Crl> {
        std::iter::once(&self.own).chain(&self.others)
    }

    /// Writes the files of [`Keys::der_files`], and returns them.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn write_der(&self, path: &Path) -> Result<Vec<PathBuf>, BootstrapError> {
        let leaves = self.all().filter(|crl| !crl.is_root);
        let files = der_files(path, leaves.map(|crl| (crl.generation, &crl.der)));
        for (file, der) in &files {
            write_atomic(file, der, 0o644, None)?;
        }
        Ok(files.into_iter().map(|(file, _)| file).collect())
    }
}

/// One file for each CA that signs leaves, with what is said of it: `path` for the first CA, and one beside it for each
/// later CA. If the first CA is gone, `path` is for the signing CA as well, which comes first.
fn der_files<T: Copy>(
    path: &Path,
    leaves: impl Iterator<Item = (Option<u32>, T)>,
) -> Vec<(PathBuf, T)> {
    let leaves: Vec<(Option<u32>, T)> = leaves.collect();
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(CRL_DER);
    let substitute = leaves
        .first()
        .filter(|_| leaves.iter().all(|(g, _)| g.is_some()));
    let all = substitute
        .map(|(_, own)| (None, *own))
        .into_iter()
        .chain(leaves.iter().copied());
    all.map(|(generation, of)| (path.with_file_name(crl_path(name, generation)), of))
        .collect()
}
