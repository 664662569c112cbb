"""The process that speaks WOPI with Collabora, OnlyOffice and Microsoft 365. It keeps no state."""
