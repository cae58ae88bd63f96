//! Rules as text to one typed form.
