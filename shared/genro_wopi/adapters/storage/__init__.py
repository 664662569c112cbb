"""Back ends that keep files, all under the contract of `genro_wopi.domain.storages`."""
