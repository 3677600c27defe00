//! Tables laid over others that have another name or another file: an account's dialect over its
//! carrier's file, a route over what holds for all routes, one answer over another.

use super::super::problem::Fault;
use super::{At, Document, Layer, Section};
use toml::de::{DeTable, DeValue};

impl<'a> Section<'a> {
    /// Reads the table `key` within this one, laid over a whole document.
    pub(in crate::config) fn table_over<T>(
        &mut self,
        key: &'static str,
        below: Option<&'a Document<'a>>,
        read: impl FnOnce(&mut Section<'a>) -> T,
    ) -> T {
        self.know(key);
        let mut inner = self.inner(key);
        inner.layers.extend(below.map(Layer::whole));
        inner.run(read)
    }

    /// Reads the table `key` within this one; what it does not say is as in the table `other`.
    pub(in crate::config) fn table_else<T>(
        &mut self,
        key: &'static str,
        other: &str,
        read: impl FnOnce(&mut Section<'a>) -> T,
    ) -> T {
        self.know(key);
        let mut inner = self.inner(key);
        inner.layers.extend(self.inner(other).layers);
        inner.run(read)
    }

    /// Reads each table within the table `key`, laid over the built-in defaults of the table `other`.
    pub(in crate::config) fn each_over<T>(
        &mut self,
        key: &'static str,
        other: &str,
        mut read: impl FnMut(At<&'a str>, &mut Section<'a>) -> Option<T>,
    ) -> Vec<T> {
        self.know(key);
        let outer = self.inner(key);
        let below = self.inner(other).layers;
        let built_in = || below.iter().filter(|layer| layer.document.is_built_in()).cloned();
        let one = |name: At<&'a str>| {
            let mut inner = outer.inner(name.value);
            inner.layers.extend(built_in());
            inner.run(|inner| read(name, inner))
        };
        outer.names().into_iter().filter_map(one).collect()
    }

    /// Reads each table within the table `key`, laid over this section itself; what they know is
    /// known here. What an upper layer says here in vain, because the lowest says it otherwise in
    /// every one of these tables, is reported.
    pub(in crate::config) fn heirs<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(At<&'a str>, &mut Section<'a>) -> Option<T>,
    ) -> Vec<T> {
        self.know(key);
        let outer = self.inner(key);
        let lent = || self.layers.iter().map(|layer| Layer { lent: true, ..layer.clone() });
        let mut known = Vec::new();
        let mut good = Vec::new();
        for name in outer.names() {
            let mut heir = outer.inner(name.value);
            heir.layers.extend(lent());
            good.extend(read(name, &mut heir));
            heir.report_unknown();
            known.extend(heir.known);
        }
        self.report_vain(&outer);
        known.into_iter().for_each(|key| self.know(key));
        good
    }

    fn report_vain(&self, outer: &Section<'a>) {
        let (Some(upper), Some(lowest)) = (self.layers.first(), self.layers.get(1)) else { return };
        let own = outer.layers.iter().find(|it| std::ptr::eq(it.document, lowest.document));
        let Some(own) = own else { return };
        let tables: Option<Vec<&DeTable<'a>>> =
            own.table.values().map(|value| value.get_ref().as_table()).collect();
        if let Some(tables) = tables.filter(|tables| tables.len() == outer.names().len()) {
            self.report_hidden(upper, &tables, &outer.path);
        }
    }

    fn report_hidden(&self, upper: &Layer<'a>, tables: &[&DeTable<'a>], below: &str) {
        for (name, value) in upper.table {
            let theirs: Option<Vec<&DeValue<'a>>> =
                tables.iter().map(|table| Some(table.get(name)?.get_ref())).collect();
            let Some(theirs) = theirs else { continue };
            let deeper = theirs.iter().map(|value| value.as_table()).collect::<Option<Vec<_>>>();
            match (value.get_ref(), deeper) {
                (DeValue::Table(table), Some(tables)) => {
                    self.report_hidden(&upper.inner(name, table), &tables, below);
                }
                _ => {
                    let wrong = format!("holds nowhere: each table of {below} has its own");
                    let right =
                        format!("write it below {below}, in the tables that it is meant for");
                    self.reject(&upper.at(name.get_ref(), name, ()), Fault::new(wrong, right));
                }
            }
        }
    }

    /// Leaves out what lies below the first layer that has `key`.
    pub(in crate::config) fn end_with(&mut self, key: &str) {
        let first = self.layers.iter().position(|layer| layer.entry(key).is_some());
        self.layers.truncate(first.map_or(self.layers.len(), |first| first + 1));
    }
}
