//! Values of one column, in memory.

/// Code of an absent value in a [`Dictionary`].
pub(crate) const ABSENT: u32 = 0;
/// An absent integer.
pub(crate) const NO_INTEGER: i64 = i64::MIN;
/// An absent UUID. The nil UUID is kept as text instead.
pub(crate) const NO_UUID: [u8; 16] = [0; 16];

/// Byte strings one behind the other, with or without bytes of something else between them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strings {
    /// Start and end of each.
    places: Vec<(u32, u32)>,
    data: Vec<u8>,
}

impl PartialEq for Strings {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Strings {}

impl Strings {
    /// The parts of `data` between `places`, which must lie in it, in order.
    pub(crate) fn within(data: Vec<u8>, places: Vec<(u32, u32)>) -> Self {
        Self { places, data }
    }

    pub(crate) fn with_capacity(values: usize, bytes: usize) -> Self {
        Self { places: Vec::with_capacity(values), data: Vec::with_capacity(bytes) }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Lets the values go, and keeps their room.
    pub(crate) fn clear(&mut self) {
        self.places.clear();
        self.data.clear();
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> &[u8] {
        let (start, end) = self.places[at];
        &self.data[start as usize..end as usize]
    }

    #[inline]
    pub(crate) fn push(&mut self, value: &[u8]) {
        let start = self.data.len() as u32;
        self.data.extend_from_slice(value);
        self.places.push((start, u32::try_from(self.data.len()).expect("a block is bounded far below 4 GiB")));
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|at| self.get(at))
    }

    /// Bytes of all values together, and of what stands between them.
    pub(crate) fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Memory that they take.
    pub(crate) fn memory(&self) -> usize {
        self.data.capacity() + self.places.capacity() * size_of::<(u32, u32)>()
    }

    pub(crate) fn data(&self) -> &[u8] {
        &self.data
    }

    /// The value that the byte at `offset` of [`Self::data`] belongs to, or the next if it belongs to none.
    pub(crate) fn at_byte(&self, offset: usize) -> Option<usize> {
        let at = self.places.partition_point(|(_, end)| *end as usize <= offset);
        (at < self.len()).then_some(at)
    }

    /// Where value `at` stands in [`Self::data`].
    pub(crate) fn place(&self, at: usize) -> std::ops::Range<usize> {
        let (start, end) = self.places[at];
        start as usize..end as usize
    }
}

/// Distinct values of a column; the first stands for "absent".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dictionary(Strings);

impl Default for Dictionary {
    fn default() -> Self {
        let mut strings = Strings::default();
        strings.push(b"");
        Self(strings)
    }
}

impl Dictionary {
    /// Number of codes, the absent one included.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Lets the values go, and keeps their room.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
        self.0.push(b"");
    }

    /// The value of a code; `None` for [`ABSENT`].
    #[inline]
    pub(crate) fn get(&self, code: u32) -> Option<&[u8]> {
        (code != ABSENT).then(|| self.0.get(code as usize))
    }

    /// The parts of `data` between `places`, which must lie in it, in order.
    pub(crate) fn within(data: Vec<u8>, mut places: Vec<(u32, u32)>) -> Self {
        places.insert(0, (0, 0));
        Self(Strings::within(data, places))
    }

    /// Adds a value that is known to be new.
    pub(crate) fn push(&mut self, value: &[u8]) -> u32 {
        self.0.push(value);
        (self.0.len() - 1) as u32
    }

    /// Values without the absent one; their codes start at one.
    pub(crate) fn values(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.iter().skip(1)
    }

    /// Codes in the order of their values, without the absent one.
    pub(crate) fn by_value(&self) -> Vec<u32> {
        // Most values differ in their first bytes, which are compared at once.
        let first = |value: &[u8]| {
            let mut first = [0; 16];
            let length = value.len().min(first.len());
            first[..length].copy_from_slice(&value[..length]);
            u128::from_be_bytes(first)
        };
        let mut keys: Vec<(u128, u32)> = self.values().map(first).zip(1..).collect();
        keys.sort_unstable_by(|(a, a_code), (b, b_code)| {
            a.cmp(b).then_with(|| self.get(*a_code).cmp(&self.get(*b_code)))
        });
        keys.into_iter().map(|(_, code)| code).collect()
    }

    /// Bytes of all values together.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Memory that it takes.
    pub(crate) fn memory(&self) -> usize {
        self.0.memory()
    }
}

/// Values of one column for a run of rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    Integers(Vec<i64>),
    Uuids(Vec<[u8; 16]>),
    Coded { codes: Vec<u32>, dictionary: Dictionary },
    Bytes(Strings),
}
