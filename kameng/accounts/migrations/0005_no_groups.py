from django.db import migrations

#: The framework's models of groups and permissions go on without tables: whoever asks for them fails, in every schema,
#: instead of being answered from another one's.
TABLES = (
    'accounts_user_groups',
    'accounts_user_user_permissions',
    'auth_group_permissions',
    'auth_permission',
    'auth_group',
)


# contract: released in 0.1 was no code that asks for these tables, nor was there before (docs/adr/0050)
# locks: nobody asks for these; accounts and content types, to which they refer, are held for the moment in which that
#        is forgotten
class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_fewer_indexes'),
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            # Without CASCADE: what somebody has built upon them is not taken away unseen.
            database_operations=[migrations.RunSQL(f"DROP TABLE {', '.join(TABLES)}")],
            state_operations=[
                migrations.RemoveField(model_name='user', name='groups'),
                migrations.RemoveField(model_name='user', name='user_permissions'),
            ],
        ),
    ]
