"""Example applications. They import streamflow as any user does."""
