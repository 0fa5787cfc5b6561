//! Hand an appointment event to the fleet and know that the broker has it.
