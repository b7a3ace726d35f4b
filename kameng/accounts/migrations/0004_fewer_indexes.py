from django.db import migrations

#: Of Django's own tables. A unique constraint begins with the column, or it says what LIKE might ask of a database that
#: does not collate by bytes, or it serves to remove what is never removed (docs/adr/0034).
INDEXES = (
    "accounts_user_username_6088629e_like",
    "accounts_user_groups_user_id_52b62117",
    "accounts_user_groups_group_id_bd11a704",
    "accounts_user_user_permissions_user_id_e4f0a161",
    "accounts_user_user_permissions_permission_id_113bb443",
    "auth_group_name_a6ea08ec_like",
    "auth_group_permissions_group_id_b120cbf9",
    "auth_group_permissions_permission_id_84c5c92e",
    "auth_permission_content_type_id_2f476e4b",
    "django_admin_log_content_type_id_c4bce8eb",
    "django_admin_log_user_id_c564eba6",
    "django_session_session_key_c0390e0f_like",
)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_user_roles'),
        ('admin', '0003_logentry_add_action_flag_choices'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('sessions', '0001_initial'),
    ]

    # locks: a table is held for the moment in which an index of it is forgotten
    operations = [
        migrations.RunSQL(f"DROP INDEX IF EXISTS {', '.join(INDEXES)}", migrations.RunSQL.noop),
    ]
