//! The next CA: created here, imported, or requested from the CA above it.

use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

use super::{
    RotationError, Taken,
    steps::{Change, Outcome, Rotating, Tools},
};
use crate::{
    bootstrap::{
        BootstrapError, Errors,
        brought::{self, AwaitedKey, Brought, Request},
        lists,
        slot::{Sealed, Slot},
        trust::Lineage,
    },
    deeds::did,
    issuer::{
        Issuer,
        local::{self, CaSpec, NewCa},
    },
    pki::{Certificate, Dn, KeyAlgorithm, KeyProtection, NameLimits},
    printable::Name,
    secret::{Secret, SecretBytes},
    state::{CA_REQUEST_KEY, CaRequest, Event, Lock, Phase, Staging},
};

/// How the next CA differs from the last one.
#[derive(Debug, Default)]
pub struct Successor {
    /// Its subject, to which the generation is appended.
    pub subject: Option<Dn>,
    /// The kind of its key.
    pub key: Option<KeyAlgorithm>,
    /// Days that it is valid.
    pub days: Option<u32>,
}

/// A request for the next CA's certificate.
#[derive(Debug)]
pub struct Pending {
    /// The request.
    pub request: Request,
    /// When it was made, if that is on record.
    pub since: Option<OffsetDateTime>,
}

impl Rotating<'_> {
    /// Refuses to begin a rotation while there is one, or if the CA's key is not here.
    pub fn check_idle(&self) -> Result<(), RotationError> {
        if let Some(rotation) = &self.rotation {
            return Err(RotationError::Running(rotation.phase));
        }
        match self.ca.issuer.engine() == local::NAME {
            true => Ok(()),
            false => Err(RotationError::Elsewhere(self.ca.issuer.path().to_owned())),
        }
    }

    /// The pending request for the next CA's certificate.
    pub fn pending(&self) -> Result<Option<Pending>, BootstrapError> {
        let since = self.inventory.ca_requested();
        let request = brought::pending(self.out)?;
        Ok(request.map(|request| Pending { request, since }))
    }

    /// True if there is one, even if it is damaged.
    pub fn is_requested(&self) -> bool {
        self.out.ca_file(CA_REQUEST_KEY).exists()
    }

    /// The key of that request.
    pub fn awaited(&self) -> Result<AwaitedKey, BootstrapError> {
        let dir = || self.out.ca().display().to_string();
        let key = AwaitedKey::find(self.out)?;
        Ok(key.ok_or_else(|| RotationError::NoRequest(dir()))?)
    }

    /// Refuses to proceed without its answer.
    pub fn check_not_pending(&self) -> Result<(), BootstrapError> {
        match self.pending()? {
            Some(pending) => Err(RotationError::Requested(pending.request.subject).into()),
            None => Ok(()),
        }
    }

    /// Creates the next CA's key, sealed like the last one, and a request for its certificate.
    pub fn request(
        &mut self,
        lock: &Lock,
        passphrase: Option<&Secret>,
        successor: &Successor,
    ) -> Result<Request, BootstrapError> {
        let (_, protection) = self.opened(passphrase)?;
        let subject = self.subject(successor)?;
        let event = Event::CaRequested(CaRequest {
            at: self.now,
            subject: subject.to_string(),
        });
        self.inventory.append_event(lock, event)?;
        let key = self.key(successor);
        brought::write_request(self.out, lock, &subject, key, &protection)
    }

    /// Deletes the request and its key.
    pub fn drop_request(&self, lock: &Lock) -> Result<(), BootstrapError> {
        let staging = Staging::begin(self.out, lock, None)?;
        staging.add("ca", &brought::no_request())?;
        staging.commit()?;
        did("dropped", "the request for the next CA");
        Ok(())
    }

    /// The next CA's subject, with its generation.
    pub fn subject(&self, successor: &Successor) -> Result<Dn, BootstrapError> {
        let subject = self.plain_subject(successor)?;
        let subject = subject.with_generation(self.following());
        Ok(subject.map_err(crate::issuer::IssuerError::from)?)
    }

    /// Finds the CA of a key (PKCS#8, DER) as [`brought::read`] does, and checks that it can be the next one.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read_next(
        &self,
        pkcs8: &[u8],
        certificates: &[CertificateDer<'_>],
    ) -> Result<Brought, Errors> {
        let taken = |signer: &Certificate| self.taken(signer);
        let brought = brought::read_with(pkcs8, certificates, self.now, taken)?;
        let root = &brought.trust.root;
        let mut trusted = self.ca.trust.trusted();
        match trusted.any(|own| own.subject == root.subject && own.der != root.der) {
            true => Err(RotationError::Taken(root.subject.clone(), Taken::Root).into()),
            false => Ok(brought),
        }
    }

    /// Why the CA with this certificate cannot be the next one: issuers are looked up by their subjects, and a new key is
    /// what a rotation is for.
    fn taken(&self, signer: &Certificate) -> Vec<BootstrapError> {
        let refused = |taken| RotationError::Taken(signer.subject.clone(), taken).into();
        let trust = &self.ca.trust;
        let mut present = trust.intermediates().iter().chain([&trust.root]);
        if present.any(|own| own.der == signer.der) {
            return vec![refused(Taken::Present)];
        }
        let fingerprint = Some(signer.fingerprint());
        let others = || {
            self.inventory
                .authorities()
                .filter(|r| r.sha256 != fingerprint)
        };
        let subject = others().any(|record| record.subject == signer.subject);
        let key = Some(signer.key_fingerprint());
        let key = others().find(|record| record.key_sha256 == key);
        let key = key.map(|record| Taken::Key(record.subject.clone().into()));
        let found = subject.then_some(Taken::Subject).into_iter().chain(key);
        found.map(refused).collect()
    }

    /// Creates the next CA and makes everyone trust both.
    pub fn start(self, tools: Tools<'_>, successor: &Successor) -> Result<Outcome, Errors> {
        self.check_idle()?;
        self.check_not_pending()?;
        let new = NewCa::make(&self.spec(successor)?, self.now)?;
        self.begin(tools, &new)
    }

    /// Makes everyone trust a CA from elsewhere as well; its request, if there was one, is done.
    pub fn start_with(self, tools: Tools<'_>, brought: &Brought) -> Result<Outcome, Errors> {
        self.check_idle()?;
        self.begin(tools, &brought.ca)
    }

    fn begin(mut self, tools: Tools<'_>, new: &NewCa) -> Result<Outcome, Errors> {
        let (issuer, protection) = self.opened(tools.passphrase)?;
        let lineage = Lineage::new(new.root.clone(), new.intermediates.clone());
        let mut sealed = Sealed::of(new, lineage.clone(), &protection)?;
        if sealed.root_key.is_none() {
            sealed.root_key = self.shared_root_key(&lineage)?;
        }
        // One that was aborted may come again.
        let known = self.inventory.generation_of(new.signer());
        let generation = known.unwrap_or_else(|| self.following());
        let mut records = new.records(generation);
        records.retain(|record| {
            let mut known = self.inventory.authorities();
            !known.any(|r| (&r.serial, &r.issuer) == (&record.serial, &record.issuer))
        });
        let mut files = sealed.files(Slot::Standby);
        files.extend(brought::no_request());
        let change = Change {
            files,
            records,
            phase: Some((Phase::Trusting, self.current(), generation)),
            issuer: Some(issuer),
        };
        let target = self.ca.trust.with(lineage);
        self.change(tools, target, change)
    }

    /// Opens the CA's key, and says how the next one is sealed: like it, so the passphrase must be the CA's.
    fn opened(
        &self,
        passphrase: Option<&Secret>,
    ) -> Result<(Box<dyn Issuer>, KeyProtection), BootstrapError> {
        let issuer = self.ca.open_issuer(passphrase)?;
        let protection = match (self.ca.issuer.wanted().is_some(), passphrase) {
            (true, Some(passphrase)) => KeyProtection::Passphrase(passphrase.clone()),
            _ => KeyProtection::None,
        };
        Ok((issuer, protection))
    }

    /// The key of a root that both CAs are below, if it is here: the end of the old CA is not that of its root.
    fn shared_root_key(&self, next: &Lineage) -> Result<Option<SecretBytes>, BootstrapError> {
        let trust = &self.ca.trust;
        if trust.root.der != next.root.der {
            return Ok(None);
        }
        let present = self.sealed(Slot::Signer, &trust.lineage())?;
        Ok(match trust.intermediates().is_empty() {
            true => Some(present.key),
            false => present.root_key,
        })
    }

    /// True if a rotation has changed nothing at any identity yet: the next CA's root was trusted before, and it has
    /// signed nothing.
    pub fn is_only_prepared(&self) -> bool {
        let trust = &self.ca.trust;
        let is_trusting = self.rotation.is_some_and(|r| r.phase == Phase::Trusting);
        let mut next = trust.standby.iter();
        is_trusting
            && trust.shares_root()
            && next.any(|next| !lists::has_signed(&self.inventory, next.signer(), self.now))
    }

    /// The old CA, if everyone goes on trusting it although it no longer signs: it is below the same root.
    pub fn remains(&self) -> Option<Name> {
        let trust = &self.ca.trust;
        let signs_no_more = self.rotation.is_some_and(|r| r.phase == Phase::Reissuing);
        let old = trust.standby.as_ref().map(|old| &old.signer().subject);
        old.filter(|_| signs_no_more && trust.shares_root())
            .cloned()
    }

    fn plain_subject(&self, successor: &Successor) -> Result<Dn, RotationError> {
        if let Some(subject) = &successor.subject {
            return Ok(subject.clone());
        }
        let own = &self.ca.trust.own().subject;
        let parsed = own.exact().parse::<Dn>();
        let parsed = parsed.map_err(|_| RotationError::Subject(own.clone()))?;
        Ok(parsed.without_generation().0)
    }

    fn key(&self, successor: &Successor) -> KeyAlgorithm {
        let own = self.ca.trust.own();
        successor.key.or(own.key).unwrap_or_default()
    }

    fn spec(&self, successor: &Successor) -> Result<CaSpec, BootstrapError> {
        let own = self.ca.trust.own();
        let life = (own.not_after - own.not_before).whole_days();
        let days = successor.days.or(u32::try_from(life).ok());
        let domains = own.name_limits.iter().flat_map(NameLimits::domains);
        Ok(CaSpec {
            subject: self.plain_subject(successor)?,
            generation: self.following(),
            key: self.key(successor),
            days: days.unwrap_or(1).max(1),
            intermediate: !self.ca.trust.intermediates.is_empty(),
            name_constraints: domains.cloned().collect(),
        })
    }

    /// One that no CA has had, not even an aborted one, which may still be trusted somewhere.
    fn following(&self) -> u32 {
        let own = self.ca.trust.own().subject.exact().parse::<Dn>().ok();
        let named = own.and_then(|own| own.without_generation().1);
        let had = self.inventory.authorities().map(|r| r.generation());
        had.chain(named)
            .max()
            .unwrap_or_default()
            .max(self.current())
            + 1
    }
}
