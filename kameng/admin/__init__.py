"""The two admins: a shop's own (`/manage/`) and the platform's (`/admin/`). They share bases and nothing else."""
