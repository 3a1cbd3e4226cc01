//! Every error's stable name, for scripts, and what it means. The list in the documents is made from this one.

macro_rules! codes {
    ($($name:ident = $code:literal, $about:literal;)+) => {
        /// What kind of error it is. Codes do not change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $about] $name,)+
        }

        impl Code {
            /// Every code, in the order of the alphabet.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name of `--json`: `ca-missing`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// What it means, for the documents.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$name => $about,)+
                }
            }
        }
    };
}

codes! {
    AnswerTooLarge = "answer-too-large", "an answer of the cluster is larger than can be received";
    BadCertificate = "bad-certificate", "a file is not the certificate that was expected";
    BadRules = "bad-rules", "mapping rules that Kafka refuses";
    BadSalt = "bad-salt", "the salt is not base64";
    BadSubject = "bad-subject", "a subject that a certificate cannot have";
    BadSuperUsers = "bad-super-users", "`super.users` that Kafka refuses";
    BadValidity = "bad-validity", "a certificate that would be valid for too long";
    CaChanged = "ca-changed", "another command changed the CA meanwhile";
    CaDamaged = "ca-damaged", "a file of the CA is damaged, or its parts do not belong together";
    CaExists = "ca-exists", "there is a CA already, which is never written over";
    CaExpired = "ca-expired", "the CA's certificate has ended";
    CaIncomplete = "ca-incomplete", "a file of the CA is missing";
    CaKeyDamaged = "ca-key-damaged", "the sealed key is damaged";
    CaKeyVersion = "ca-key-version", "the key was sealed by a later kpki";
    CaMissing = "ca-missing", "there is no CA in the output directory";
    Certificate = "certificate", "a certificate could not be made";
    CertificateRefused = "certificate-refused", "the broker refuses the client's certificate, or wants one";
    ClientProperties = "client-properties", "a Java client's properties cannot be used";
    ClusterIdLost = "cluster-id-lost", "`cluster.id` is lost, and disks are formatted with it";
    Config = "config", "a configuration file cannot be written as the policy asks";
    ConfirmationNeeded = "confirmation-needed", "a question has to be answered, and there is no terminal";
    ConnectionLost = "connection-lost", "the connection ended while an answer was waited for";
    ConnectionSettings = "connection-settings", "the connection cannot be set up";
    DangerousChange = "dangerous-change", "a change that a running cluster does not survive; `--allow` asks for it";
    Edited = "edited", "a file was edited by somebody else; `--overwrite` writes over it";
    Expired = "expired", "the broker's certificate has ended";
    Export = "export", "the key cannot be exported";
    ExportMalformed = "export-malformed", "a line of an export is not an ACL binding";
    ExportNoPolicy = "export-no-policy", "the cluster's ACLs cannot be written as a policy";
    ExportUnwritable = "export-unwritable", "the export cannot be written";
    Failed = "failed", "something else; the message says what";
    FileExists = "file-exists", "a file is there already, which is not written over";
    ForeignOwner = "foreign-owner", "a directory belongs to another user";
    HostsShared = "hosts-shared", "`--host` was given for several identities";
    IdentityDamaged = "identity-damaged", "a file of an identity is damaged";
    IdentityExists = "identity-exists", "there is an identity of that name already";
    IdentityUnknown = "identity-unknown", "there is no identity of that name";
    InvalidPolicy = "invalid-policy", "the policy is wrong; `error.diagnostics` lists every mistake";
    InventoryDamaged = "inventory-damaged", "the inventory of certificates is damaged";
    Io = "io", "a file cannot be read or written";
    KeyDerivation = "key-derivation", "the passphrase's derivation failed, for lack of memory";
    Locked = "locked", "another kpki works on the output directory";
    LoginFailed = "login-failed", "the cluster refuses user, password or mechanism";
    MappingUnsure = "mapping-unsure", "what a mapping rule makes of a name cannot be told";
    NameClash = "name-clash", "two names differ only in case";
    NameTwice = "name-twice", "a name was given twice";
    NoAuthorizer = "no-authorizer", "the cluster has no authorizer";
    NoCluster = "no-cluster", "nothing says which cluster, and as whom to connect";
    NoHost = "no-host", "a broker's certificate needs a host";
    NoRandomness = "no-randomness", "the system gives no random numbers";
    NoRootKey = "no-root-key", "the root's key is not here";
    NoScramRequests = "no-scram-requests", "the cluster is too old to be asked about SCRAM users";
    NotAScramUser = "not-a-scram-user", "the policy has no SCRAM user of that name";
    NotAuthorized = "not-authorized", "the cluster does not let this principal do it";
    NotBuilt = "not-built", "this kpki was built without the part that talks to clusters";
    NotConfirmed = "not-confirmed", "the question was answered with no";
    NotEncrypted = "not-encrypted", "credentials would be sent without TLS";
    NotYetValid = "not-yet-valid", "the broker's certificate begins in the future";
    Obstacle = "obstacle", "something stands where kpki keeps its files";
    OtherCluster = "other-cluster", "this is another cluster than the output directory's";
    OutsideConstraints = "outside-constraints", "the CA may not sign for that name";
    PassphraseEmpty = "passphrase-empty", "the passphrase is empty";
    PassphraseExposed = "passphrase-exposed", "the passphrase's file may be read by others";
    PassphraseMismatch = "passphrase-mismatch", "the two passphrases differ";
    PassphraseMissing = "passphrase-missing", "a passphrase is needed";
    PassphraseShort = "passphrase-short", "the passphrase of a new CA is too short";
    PassphraseUnreadable = "passphrase-unreadable", "the passphrase cannot be read";
    PasswordMismatch = "password-mismatch", "the two passwords differ";
    PasswordMissing = "password-missing", "a password is needed";
    PasswordUnreadable = "password-unreadable", "the password cannot be read";
    PlanMalformed = "plan-malformed", "a saved plan cannot be read";
    PlanOtherCluster = "plan-other-cluster", "the plan was made for another cluster";
    PlanRefused = "plan-refused", "the plan must not be applied; the message says why";
    PlanStale = "plan-stale", "policy or cluster have moved since the plan was made";
    PlanUnwritable = "plan-unwritable", "the plan cannot be saved";
    PlanVersion = "plan-version", "the plan was saved by another kpki";
    PolicyNotUtf8 = "policy-not-utf8", "the policy is not UTF-8";
    PolicyUnreadable = "policy-unreadable", "the policy cannot be read";
    RecordDamaged = "record-damaged", "the record of what was written is damaged";
    Refused = "refused", "the cluster refuses a request";
    RequestImpossible = "request-impossible", "a request that no client could make";
    RequestMalformed = "request-malformed", "a line is not a request";
    RequestsUnreadable = "requests-unreadable", "the file of requests cannot be read";
    Scram = "scram", "a SCRAM credential that Kafka refuses";
    Stopped = "stopped", "stopped from outside before the work was done";
    Store = "store", "a key store or truststore cannot be read or written";
    TestsFailed = "tests-failed", "the policy's own tests failed";
    TimedOut = "timed-out", "no answer in time";
    Tls = "tls", "the TLS handshake failed";
    TooManyBindings = "too-many-bindings", "the cluster has more bindings than can be read";
    Unfinished = "unfinished", "a change is written in full, and waits to be moved into place";
    UnknownHost = "unknown-host", "a host name cannot be resolved";
    Unreachable = "unreachable", "no broker answers";
    Unsupported = "unsupported", "the cluster, or kpki's client, does not know the request";
    Untrusted = "untrusted", "the broker's certificate is of another CA";
    UpNeeded = "up-needed", "`kpki up` has to run first";
    Usage = "usage", "the command line is wrong";
    WrongHostName = "wrong-host-name", "the broker's certificate does not name the host";
    WrongPassphrase = "wrong-passphrase", "the passphrase is wrong";
    WrongProtocol = "wrong-protocol", "the broker speaks another protocol on that port";
}
