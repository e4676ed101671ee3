"""The facility's door: users, visits, servers and job records. It knows no tomography."""
