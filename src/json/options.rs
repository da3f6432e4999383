//! How images are printed and read.

/// How an image is printed.
///
/// The default is upstream's compact form, byte for byte.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// Over several lines, and numbers in the form of their field: hex, flags, device numbers, IPs.
    pub pretty: bool,
    /// Payloads are only named by their size.
    pub no_payload: bool,
    /// Integers beyond 2^53 are quoted, for programs that read numbers as doubles.
    pub quote_big_ints: bool,
    /// Entries that would not come back byte for byte carry their bytes (`@raw`, `@payload`).
    pub exact: bool,
}

impl DecodeOptions {
    /// Over several lines, and numbers in the form of their field.
    #[must_use]
    pub fn pretty(mut self, yes: bool) -> Self {
        self.pretty = yes;
        self
    }

    /// Payloads are only named by their size.
    #[must_use]
    pub fn no_payload(mut self, yes: bool) -> Self {
        self.no_payload = yes;
        self
    }

    /// Integers beyond 2^53 are quoted.
    #[must_use]
    pub fn quote_big_ints(mut self, yes: bool) -> Self {
        self.quote_big_ints = yes;
        self
    }

    /// Entries that would not come back byte for byte carry their bytes.
    #[must_use]
    pub fn exact(mut self, yes: bool) -> Self {
        self.exact = yes;
        self
    }
}

/// Whose JSON it is, where the same text would mean two things.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// Upstream's crit, and this one.
    #[default]
    Criu,
    /// go-criu's crit: names of unix sockets are base64, semaphores stand in a string.
    Go,
}

/// How JSON is read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EncodeOptions {
    /// Take what upstream's crit takes: keys that no field has, required fields that are missing,
    /// payloads that don't fit the fields that give their size.
    pub lenient: bool,
    /// Take octal and binary numbers in strings, such as `"0o22"`, as people write them.
    pub written: bool,
    /// Whose JSON it is.
    pub dialect: Dialect,
}

impl EncodeOptions {
    /// Take what upstream's crit takes.
    #[must_use]
    pub fn lenient(mut self, yes: bool) -> Self {
        self.lenient = yes;
        self
    }

    /// Takes octal and binary numbers in strings.
    #[must_use]
    pub fn written(mut self, yes: bool) -> Self {
        self.written = yes;
        self
    }

    /// Whose JSON it is.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }
}
